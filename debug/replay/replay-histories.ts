import { createHash } from 'node:crypto';
import type { InjectedSinks, ReplayWorkerOptions } from '@temporalio/worker';
import { Worker } from '@temporalio/worker';
import { valueStorage } from '../../client/value-storage.js';
import type { ArtifactStore } from '../../store/artifact-store.js';
import type { TraceSinks } from '../../workflows/trace-run.js';
import { traceSwitch } from '../../workflows/trace-run.js';
import type { Divergence, TracedEvent } from './divergence.js';
import { divergenceOf } from './divergence.js';
import type { History } from './history-event.js';

export type RunHistory = { readonly workflowId: string; readonly history: History };

/** What came of one history on other code. */
export type HistoryReplay = {
  readonly run: string;
  /** Events of its history. */
  readonly events: number;
  /** Undefined where the code led through all of it. */
  readonly divergence: Divergence | undefined;
};

/** Replays histories on a bundle, one after the other; nothing is written anywhere. */
export async function* replayHistories(
  histories: AsyncIterable<RunHistory>,
  { workflowCode, store }: { readonly workflowCode: string; readonly store: ArtifactStore },
): AsyncIterable<HistoryReplay> {
  let current: RunHistory | undefined;
  let trace: TracedEvent[] = [];
  const noted = async function* (): AsyncIterable<RunHistory> {
    for await (const each of histories) {
      current = each;
      trace = [];
      yield each;
    }
  };
  const sinks: InjectedSinks<TraceSinks> = {
    millrace: {
      event: {
        fn: ({ historyLength }, event) => void trace.push({ historyLength, event }),
        callDuringReplay: true,
      },
    },
  };
  const options: ReplayWorkerOptions = {
    workflowBundle: { code: traceSwitch + workflowCode },
    sinks,
    dataConverter: { externalStorage: valueStorage(readOnly(store)) },
  };
  for await (const { workflowId, error } of Worker.runReplayHistories(options, noted())) {
    const events = current?.history.events ?? [];
    yield {
      run: workflowId,
      events: events.length,
      divergence: error && divergenceOf(error, { events, trace }),
    };
  }
}

/** What the code would store is only named: the replay has no use for it. */
const readOnly = (store: ArtifactStore): Parameters<typeof valueStorage>[0] => ({
  store: {
    read: (digest, options) => store.read(digest, options),
    putBytes: (content) =>
      Promise.resolve({
        digest: `sha256:${createHash('sha256').update(content).digest('hex')}`,
        type: 'file',
        size: Buffer.byteLength(content),
      }),
  },
  catalog: { garbage: { hold: () => Promise.resolve() } },
});
