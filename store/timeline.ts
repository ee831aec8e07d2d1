import type { Time } from './catalog.js';

/** What the engine decided about a step, or about its run as a whole, with the cause. */
export type TimelineEntry = {
  readonly run: string;
  /** Empty for the run as a whole. */
  readonly path: string;
  readonly at: Time;
  /** 0 where it belongs to none. */
  readonly attempt: number;
  /** `queued`, `started`, `adopted`, `handed-over`, `retried`, `parked`, … */
  readonly kind: string;
  /** One sentence for people: `needs 2 cpus`. */
  readonly text: string;
  /** The facts behind it. */
  readonly data?: Readonly<Record<string, unknown>>;
};
