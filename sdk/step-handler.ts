import type { z } from 'zod';
import type { ArtifactKind, ArtifactRef } from './artifact.js';

/** An input artifact as a function step sees it: content placed read-only on its disk. */
export type LocalArtifact<K extends ArtifactKind = ArtifactKind> = ArtifactRef<K> & { readonly path: string };

export type HandlerInput<T> =
  T extends ArtifactRef<infer K>
    ? LocalArtifact<K>
    : T extends readonly (infer U)[]
      ? HandlerInput<U>[]
      : T extends object
        ? { [P in keyof T]: HandlerInput<T[P]> }
        : T;

type ArtifactKeys<T> = { [P in keyof T]-?: NonNullable<T[P]> extends ArtifactRef ? P : never }[keyof T];

/** What a handler returns: every value field; of an artifact field nothing (it wrote `out[name]`) or the path it wrote. */
export type HandlerOutput<T> = Omit<T, ArtifactKeys<T>> & { [P in ArtifactKeys<T>]?: string };

export type StepLog = {
  readonly [L in 'debug' | 'info' | 'warn' | 'error']: (message: string, fields?: object) => void;
};

export type StepContext<O = Record<string, unknown>> = {
  readonly run: string;
  readonly step: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Path to write each artifact output to. */
  readonly out: { readonly [P in ArtifactKeys<O>]: string };
  /** Folder that outlives the attempt in a container or process; inside the worker it goes with it. */
  readonly checkpoint: string;
  /** Folder of the last checkpoint that `writeCheckpoint` made, in this attempt or an earlier one. */
  readonly lastCheckpoint: string | undefined;
  /**
   * Has `write` fill an empty folder, which then takes the place of the last checkpoint: whole or not at all, whenever the
   * program is killed. One call at a time.
   */
  writeCheckpoint(write: (folder: string) => Promise<void> | void): Promise<void>;
  readonly log: StepLog;
  /** Aborts when the run is cancelled or the attempt times out. */
  readonly signal: AbortSignal;
  /** Records a number of a series, shown live and kept. */
  metric(name: string, value: number, index?: number): void;
  /** Part done, 0 to 1. */
  progress(fraction: number, message?: string): void;
  /** A secret's value. Throws when the step did not declare it. */
  secret(name: string): string;
};

export type StepHandler<I extends z.ZodObject, O extends z.ZodObject> = (
  input: HandlerInput<z.output<I>>,
  context: StepContext<z.output<O>>,
) => Promise<HandlerOutput<z.output<O>>> | HandlerOutput<z.output<O>>;
