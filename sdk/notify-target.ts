import type { NotifyEvent } from './notify-event.js';

/** Whom to tell of what: an address that takes JSON by POST, or a program that gets it on its standard input. */
export type NotifyTarget = {
  /** Unlike that of every other. Default: the host, or the program's file. */
  readonly name: string;
  readonly on: readonly NotifyEvent[];
} & (
  | {
      readonly url: string;
      /** Name of the secret that messages are signed with. */
      readonly secret?: string | undefined;
    }
  | { readonly command: readonly string[] }
);
