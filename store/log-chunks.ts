import type { Digest } from '../sdk/artifact.js';
import type { Time } from './catalog.js';

/** A part of an attempt's log, stored while the attempt runs: whole lines. */
export type LogChunk = {
  readonly run: string;
  readonly path: string;
  readonly attempt: number;
  /** Counts those of one attempt, from 1. */
  readonly sequence: number;
  /** Bytes of the log before it. */
  readonly position: number;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Of its first and last line. */
  readonly firstAt: Time;
  readonly lastAt: Time;
};

export type LogPlace = Pick<LogChunk, 'run' | 'path' | 'attempt'>;

/**
 * Logs of attempts that have no log as a whole yet: those that run, and those that were lost with their host. Once an attempt's row
 * names its log, its chunks are gone.
 */
export interface LogChunks {
  /** Where the next one begins, bytes; undefined when no more are taken: the attempt was given up, has its log, or the run is gone. */
  next(place: LogPlace): Promise<number | undefined>;
  /** Notes one that is stored, where it begins at the end of the last one. @returns where the next one begins, as above */
  add(chunk: Omit<LogChunk, 'sequence'>): Promise<number | undefined>;
  /**
   * Names the whole log of an attempt in the place of its chunks. @param log.size bytes
   * @returns false, and changes nothing, where the attempt has its log already or its chunks hold more
   */
  replace(place: LogPlace, log: Pick<LogChunk, 'digest' | 'size'>): Promise<boolean>;
  /** In their order. @param after only those after this sequence */
  list(place: LogPlace, after?: number): Promise<readonly LogChunk[]>;
}
