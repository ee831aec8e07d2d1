import type { Readable, Writable } from 'node:stream';

/** Where a person types and reads; `process` is one. */
export type Terminal = {
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  readonly stdout: Writable & { readonly columns?: number; readonly rows?: number };
  readonly stderr: Writable;
};

export type ShellOptions = {
  readonly terminal: Terminal;
  /** On abort the shell and all it started end. */
  readonly signal: AbortSignal;
};
