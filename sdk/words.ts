import type { ArtifactKind, ArtifactRef } from './artifact.js';
import type { Duration } from './duration.js';
import { durationMs } from './duration.js';
import type { RunInfo } from './runtime.js';
import { currentRuntime } from './runtime.js';

/**
 * Reads and hashes a source (`file:`, `http:`, `https:`) anew on each run, on a worker; the run then holds what was read.
 * @param options.kind kind of the artifact; default `dataset`
 */
export const fetchData = <K extends ArtifactKind = 'dataset'>(
  uri: string,
  options: { readonly kind?: K } = {},
): Promise<ArtifactRef<K>> =>
  currentRuntime('fetchData').fetchData(uri, { kind: options.kind ?? 'dataset' }) as Promise<ArtifactRef<K>>;

/** Waits durably: the run sleeps in Temporal, no process does. */
export const sleep = (duration: Duration): Promise<void> =>
  currentRuntime('sleep').sleep(durationMs(duration, 'sleep'));

/** The run this pipeline is. */
export const runInfo = (): RunInfo => currentRuntime('runInfo').info;
