import type { Time } from './catalog.js';

/** A machine that runs steps: one state directory with its Docker engine, whatever number of workers it has. */
export type HostRecord = {
  /** Its installation. */
  readonly id: string;
  /** Prefix of the queues it serves. */
  readonly queue: string;
  /** For people: its host name. */
  readonly name: string;
  /** When a worker of it last said that it lives. */
  readonly seenAt: Time;
  /** Whether its last worker said that it goes for good, or a person said so for it; until a worker of it lives again. */
  readonly gone: boolean;
};

/** Which hosts there are, and since when they are silent. */
export interface Hosts {
  /** Says that a host lives, or with `gone` that it goes. */
  beat(host: HostRecord): Promise<void>;
  /**
   * Says for a host that it is gone, unless it was seen at that time or later.
   * @returns whether it is gone now
   */
  giveUp(id: string, silentSince: Time): Promise<boolean>;
  find(id: string): Promise<HostRecord | undefined>;
  /** Those of a queue, the one seen last first. */
  list(queue: string): Promise<readonly HostRecord[]>;
}
