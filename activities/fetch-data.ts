import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline as pump } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { Info } from '@temporalio/activity';
import type { ArtifactRef } from '../sdk/artifact.js';
import type { MillraceError } from '../sdk/errors.js';
import { InfrastructureFailed, InvalidInput } from '../sdk/errors.js';
import { isRetryable, toFailureInfo } from '../sdk/protocol/failure.js';
import type { FetchTask } from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import type { StepRecord } from '../store/catalog.js';
import { placedError } from './failures.js';
import { now, stepRow } from './step-row.js';
import type { StepEnvironment } from './step-environment.js';
import { whileBeating } from './while-beating.js';

/** Data that a run reads from where it lies. */
export function fetchActivities(env: StepEnvironment) {
  const { projector, store } = env;
  return {
    async [activityNames.fetchData](task: FetchTask): Promise<ArtifactRef> {
      const { run, path: step, uri, kind } = task;
      const row = stepRow(task, 'fetch', 'fetchData');
      projector.add({ steps: [{ ...row, status: 'running', detail: uri }] });
      const artifact = await whileBeating(({ cancellationSignal: signal, info }) =>
        fetchUri(uri, kind, { store, signal }).catch((error: unknown) => {
          const failed = placedError(error, { run, step });
          if (signal.aborted) throw failed;
          // The author may catch it and go on: the row must not wait for the run's end.
          projector.add({ steps: [{ ...row, ...failedState(failed, info), detail: uri }] });
          throw failed;
        }),
      );
      projector.add({
        steps: [{ ...row, status: 'completed', detail: uri, output: artifact, closedAt: now() }],
        artifacts: [{ run, path: step, direction: 'output', field: 'data', artifact, at: now() }],
      });
      await projector.flush();
      return artifact;
    },
  };
}

function failedState(
  error: MillraceError,
  { attempt, retryPolicy }: Info,
): Pick<StepRecord, 'status' | 'failure' | 'closedAt'> {
  const again = isRetryable(error) && attempt < (retryPolicy?.maximumAttempts ?? Infinity);
  return again
    ? { status: 'retrying', failure: toFailureInfo(error) }
    : { status: 'failed', failure: toFailureInfo(error), closedAt: now() };
}

type FetchOptions = { readonly store: StepEnvironment['store']; readonly signal: AbortSignal };

/** Reads a source into the store. A `file:` source lies on the worker's disk. */
async function fetchUri(
  uri: string,
  kind: ArtifactRef['$artifact'],
  { store, signal }: FetchOptions,
): Promise<ArtifactRef> {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  const name = path.basename(url?.pathname ?? uri);
  if (url?.protocol === 'file:')
    return { $artifact: kind, ...(await store.put(fileURLToPath(url), { signal })), name };
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new InvalidInput(`fetchData cannot read ${JSON.stringify(uri)}.`, {
      hint: 'Give a file:, http: or https: address.',
    });
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-fetch-'));
  try {
    const response = await fetch(url, { signal });
    // What the source refuses today it refuses in a minute too; what it cannot do just now it may.
    const Failed = response.status >= 400 && response.status < 500 ? InvalidInput : InfrastructureFailed;
    if (!response.ok || !response.body)
      throw new Failed(`${uri} answered ${response.status} ${response.statusText}.`, {
        fields: { status: response.status },
      });
    const file = path.join(folder, 'data');
    await pump(Readable.fromWeb(response.body), createWriteStream(file));
    return { $artifact: kind, ...(await store.put(file, { signal })), name };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
