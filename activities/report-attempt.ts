import type { FailureInfo } from '../sdk/protocol/failure.js';
import type { StepHeartbeat, StepResult, StepTask } from '../sdk/protocol/messages.js';
import type { StepEvent } from '../sdk/step-contract.js';
import type { ArtifactRecord, AttemptRecord } from '../store/catalog.js';
import type { TimelineEntry } from '../store/timeline.js';
import { heartbeatMs } from './heartbeat-interval.js';
import type { StepEnvironment } from './step-environment.js';

/** Tells Temporal (by heartbeats) and the catalog what an attempt does. */
export interface AttemptReport {
  /** Waiting on this worker: `needs 2 cpus`, `pulling 40 %`. */
  queued(detail: string): void;
  /** The program starts, or is prepared: `installing packages`. */
  running(detail?: string): void;
  /** The program runs already: an earlier worker started it. */
  adopted(row: AttemptRecord): void;
  /** Whether the program has been started, or was when an earlier delivery was lost. */
  hasBegun(): boolean;
  /** Words of the running step. */
  event(event: StepEvent): void;
  /** Facts of the execution, kept with the attempt. */
  facts(
    facts: Partial<Pick<AttemptRecord, 'exitCode' | 'cpuSeconds' | 'peakMemoryBytes' | 'log' | 'packages'>>,
  ): void;
  completed(result: StepResult, artifacts: readonly ArtifactRecord[]): Promise<void>;
  failed(status: 'failed' | 'retrying' | 'cancelled', failure: FailureInfo): Promise<void>;
  /** The attempt counts no more; what the step is now others say. */
  lost(failure: FailureInfo): Promise<void>;
  stop(): void;
}

export type ReportOptions = {
  readonly task: StepTask;
  readonly attempt: number;
  readonly env: StepEnvironment;
  /** Undefined for local activities, which have none. */
  readonly heartbeat: ((details: StepHeartbeat) => void) | undefined;
};

export function reportAttempt({ task, attempt, env, heartbeat }: ReportOptions): AttemptReport {
  const { run, path, spec, input } = task;
  const { projector } = env;
  const scheduledAt = new Date().toISOString();
  let begun = performance.now();
  const where = hostOf(task, env);
  let hasBegun = false;
  let beat: StepHeartbeat = { status: 'queued' };
  let told = '';
  let row: AttemptRecord = {
    run,
    path,
    attempt,
    status: 'running',
    executor: task.executor,
    worker: env.worker,
    startedAt: scheduledAt,
    resources: spec.resources,
    build: task.build,
    ...(task.image && { image: task.image.id }),
  };
  const step = { run, path, name: spec.name, kind: 'step', scheduledAt } as const;
  const timer = heartbeat && setInterval(() => heartbeat(beat), heartbeatMs);

  const close = (status: AttemptRecord['status'], failure?: FailureInfo): AttemptRecord => {
    const wallSeconds = (performance.now() - begun) / 1000;
    const used = { wallSeconds, gpuSeconds: wallSeconds * spec.resources.gpus };
    row = { ...row, ...used, status, closedAt: new Date().toISOString(), ...(failure && { failure }) };
    return row;
  };
  const decided = (kind: string, text: string): TimelineEntry => ({
    run,
    path,
    at: new Date().toISOString(),
    attempt,
    kind,
    text,
  });
  // What runs in the worker is cheap to run again and its result stands in Temporal's history: its rows may follow it.
  const settle = () => (task.executor === 'worker' ? Promise.resolve() : projector.flush());

  return {
    queued(detail) {
      // A percentage that grows is no news.
      const saying = detail.replaceAll(/\d+/g, '#');
      beat = { status: 'queued', detail };
      heartbeat?.(beat);
      projector.add({
        steps: [{ ...step, input, status: 'queued', detail }],
        timeline: saying === told || detail === '' ? [] : [decided('queued', `queued: ${detail}`)],
      });
      told = saying;
    },
    running(detail = '') {
      beat = { status: 'running', ...(detail && { detail }), ...where };
      hasBegun = true;
      row = { ...row, startedAt: new Date().toISOString() };
      begun = performance.now();
      heartbeat?.(beat);
      projector.add({ steps: [{ ...step, input, status: 'running', detail }], attempts: [row] });
    },
    adopted(known) {
      hasBegun = true;
      row = { ...known, worker: env.worker };
      begun = performance.now() - (Date.now() - Date.parse(known.startedAt));
      beat = { status: 'running', ...where };
      heartbeat?.(beat);
      projector.add({
        steps: [{ ...step, input, status: 'running', detail: '' }],
        attempts: [row],
        timeline: [
          {
            ...decided('adopted', `adopted from ${known.worker} by ${env.worker}`),
            data: { from: known.worker, by: env.worker },
          },
        ],
      });
    },
    hasBegun: () => hasBegun,
    event(event) {
      if (event.type === 'metric') {
        const { name, value, index } = event;
        beat = { ...beat, metric: { name, value } };
        const at = event.at ?? new Date().toISOString();
        projector.add({
          metrics: [{ run, path, attempt, name, value, at, ...(index !== undefined && { index }) }],
        });
      } else if (event.type === 'progress') {
        const { fraction, message } = event;
        beat = { ...beat, progress: fraction, ...(message !== undefined && { detail: message }) };
        projector.add({
          steps: [
            {
              ...step,
              status: 'running',
              progress: fraction,
              ...(message !== undefined && { detail: message }),
            },
          ],
        });
      }
    },
    facts(facts) {
      row = { ...row, ...facts };
    },
    async completed({ output, cached }, artifacts) {
      const attemptRow = close('completed');
      projector.add({
        // Of what another computed this is no attempt.
        attempts: cached ? [] : [attemptRow],
        artifacts,
        steps: [
          {
            ...step,
            input,
            output,
            status: 'completed',
            detail: '',
            ...closedAt(attemptRow),
            ...(cached && { cached }),
          },
        ],
      });
      await settle();
    },
    async failed(status, failure) {
      const attemptRow = close(status === 'cancelled' ? 'cancelled' : 'failed', failure);
      const closed = status === 'retrying' ? {} : closedAt(attemptRow);
      projector.add({
        attempts: [attemptRow],
        steps: [{ ...step, input, status, failure, detail: '', ...closed }],
      });
      await settle();
    },
    async lost(failure) {
      projector.add({ attempts: [close('lost', failure)] });
      await settle();
    },
    stop: () => clearInterval(timer),
  };
}

/** By it the run knows where to look for the container. */
export const hostOf = (
  { executor }: Pick<StepTask, 'executor'>,
  { installation }: Pick<StepEnvironment, 'installation'>,
): Pick<StepHeartbeat, 'host'> => (executor === 'docker' ? { host: installation } : {});

const closedAt = (row: AttemptRecord): { closedAt?: string } =>
  row.closedAt === undefined ? {} : { closedAt: row.closedAt };
