import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { RunFailed } from '../sdk/errors.js';
import { deliveryPlace } from '../sdk/protocol/activity-id.js';
import { toFailureInfo } from '../sdk/protocol/failure.js';
import type { RunStatus } from '../sdk/states.js';
import { isStepClosed } from '../sdk/states.js';
import type { AttemptRecord, Catalog, RunRecord, StepRecord } from '../store/catalog.js';
import { projectBlocked } from './blocked-run.js';
import type { PendingActivity } from './heartbeat-of.js';
import { heartbeatOf } from './heartbeat-of.js';
import { projectMove } from './moved-run.js';
import { runEnd } from './temporal-errors.js';

/** Time a run may be in the catalog before the service must know it. */
const startGraceMs = 30_000;

export type ReconcileOptions = {
  readonly temporal: Client;
  /** Id of the client's namespace. A run of another one is left as it is. */
  readonly service: string | undefined;
  readonly catalog: Catalog;
};

/** Brings the catalog's rows of an open run in line with what Temporal says of it, also when another tool ended the run. */
export async function reconcileRun(
  run: RunRecord,
  { temporal, service, catalog }: ReconcileOptions,
): Promise<void> {
  if (run.service !== undefined && service !== undefined && run.service !== service) return;
  const handle = temporal.workflow.getHandle(run.id);
  const described = await handle.describe().catch(ignoreUnknown);
  if (!described) {
    if (Date.now() - Date.parse(run.startedAt) > startGraceMs) {
      const failure = toFailureInfo(
        new RunFailed('The Temporal service does not know this run.', {
          run: run.id,
          hint: 'It was removed there, or the catalog belongs to another service.',
        }),
      );
      await closeRun(run, 'terminated', { catalog, closedAt: new Date(), failure });
    }
    return;
  }
  const status = statuses[described.status.name];
  if (status === undefined) {
    const { dueAt, overdueAt } = run;
    if (dueAt !== undefined && overdueAt === undefined && Date.parse(dueAt) < Date.now())
      await catalog.noticeOverdue(run.id, new Date().toISOString());
    await projectPending(run, described, catalog);
    await projectMove(run, described, catalog);
    await projectBlocked(run, described, { temporal, catalog });
  } else {
    const end =
      status === 'completed'
        ? { output: await handle.result() }
        : { failure: await failureOf(run.id, () => handle.result()) };
    await closeRun(run, status, { catalog, closedAt: described.closeTime ?? new Date(), ...end });
  }
}

const statuses: Readonly<Record<string, Exclude<RunStatus, 'running'>>> = {
  COMPLETED: 'completed',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
  TIMED_OUT: 'timed_out',
};

type Closing = {
  readonly catalog: Catalog;
  readonly closedAt: Date;
  readonly output?: unknown;
  readonly failure?: RunRecord['failure'] | undefined;
};

async function closeRun(
  run: RunRecord,
  status: Exclude<RunStatus, 'running'>,
  { catalog, closedAt, output, failure }: Closing,
): Promise<void> {
  const at = closedAt.toISOString();
  const open = (await catalog.steps(run.id)).filter((step) => !isStepClosed(step.status));
  const left = status === 'terminated' || status === 'timed_out' ? 'lost' : 'cancelled';
  const attempts = (await catalog.attempts(run.id)).filter((attempt) => attempt.status === 'running');
  await catalog.project({
    steps: open.map((step) => ({ ...step, status: left, closedAt: at })),
    attempts: attempts.map((attempt) => ({ ...attempt, status: left, closedAt: at })),
  });
  for (const { path } of await catalog.approvals({ run: run.id, status: 'open' }))
    await catalog.closeApproval({ run: run.id, path, status: 'cancelled' });
  await catalog.updateRun({
    id: run.id,
    status,
    closedAt: at,
    ...(output !== undefined && { output }),
    ...(failure && { failure }),
  });
  if (run.parent) await closeCall(run.parent, { catalog, closedAt: at, status, failure });
}

/** The parent's row of a child run that could not write its own end. */
async function closeCall(
  { run, path }: NonNullable<RunRecord['parent']>,
  end: Pick<Closing, 'catalog' | 'failure'> & {
    readonly status: Exclude<RunStatus, 'running'>;
    readonly closedAt: string;
  },
): Promise<void> {
  const { catalog, closedAt, failure } = end;
  const step = (await catalog.steps(run)).find((each) => each.path === path);
  if (!step || isStepClosed(step.status)) return;
  const status = end.status === 'completed' || end.status === 'cancelled' ? end.status : 'failed';
  await catalog.project({ steps: [{ ...step, status, closedAt, ...(failure && { failure }) }] });
}

async function failureOf(run: string, result: () => Promise<unknown>): Promise<RunRecord['failure']> {
  try {
    await result();
    return undefined;
  } catch (error) {
    // What kept the answer away is no verdict: the next look gets it.
    if (!(error instanceof WorkflowFailedError)) throw error;
    return toFailureInfo(runEnd(error, run));
  }
}

/** Steps that only the service knows to be waiting, or to go on, and attempts that it has given up. */
async function projectPending(
  run: RunRecord,
  described: WorkflowExecutionDescription,
  catalog: Catalog,
): Promise<void> {
  const steps = new Map((await catalog.steps(run.id)).map((step) => [step.path, step]));
  const attempts = await catalog.attempts(run.id);
  const changed = unattended(described, { steps, attempts });
  for (const pending of described.raw.pendingActivities ?? []) {
    const type = pending.activityType?.name ?? '';
    if (type.startsWith('millrace.')) continue;
    const { path, attempt } = deliveryPlace(pending.activityId ?? '');
    // Who counts: the workflow, or of builds from before it did, the service.
    const current = Math.max(attempt, pending.attempt ?? 1);
    const lost = attempts.filter(
      (each) => each.path === path && each.status === 'running' && each.attempt < current,
    );
    changed.attempts.push(
      ...lost.map((each) => ({ ...each, status: 'lost' as const, closedAt: new Date().toISOString() })),
    );
    if (pending.state === started) {
      const going = goingOn(pending, {
        step: steps.get(path),
        attempt: attempts.find((each) => each.path === path && each.attempt === current),
      });
      if (going) {
        changed.steps.push(going.step);
        changed.attempts.push(going.attempt);
      }
    }
    if (pending.state !== scheduled) continue;
    // It was started after the service was asked: the catalog knows better.
    if (attempts.some((each) => each.path === path && each.attempt >= current)) continue;
    const known = steps.get(path);
    const status = current > 1 ? 'retrying' : 'queued';
    if (known?.status === status && lost.length === 0) continue;
    changed.steps.push({
      run: run.id,
      path,
      name: type,
      kind: 'step',
      scheduledAt: known?.scheduledAt ?? timeOf(pending),
      status,
      detail: waitDetail(pending, current),
    });
  }
  if (changed.steps.length + changed.attempts.length > 0) await catalog.project(changed);
}

/**
 * A step that its worker says it runs, though its row says that it waits: it was taken up in the moment in which its worker was
 * found silent. One that waits for room says so itself.
 */
function goingOn(
  pending: PendingActivity,
  { step, attempt }: { readonly step: StepRecord | undefined; readonly attempt: AttemptRecord | undefined },
): { readonly step: StepRecord; readonly attempt: AttemptRecord } | undefined {
  if (!step || attempt?.status !== 'running') return undefined;
  if (step.status !== 'retrying' && step.status !== 'queued') return undefined;
  const beat = heartbeatOf(pending);
  if (beat?.status !== 'running') return undefined;
  return { step: { ...step, status: 'running', detail: beat.detail ?? '' }, attempt };
}

/**
 * Attempts that the service has closed, but nobody has decided about: their worker fell silent, and no worker runs the pipeline.
 * Their containers may go on.
 */
function unattended(
  { raw }: WorkflowExecutionDescription,
  known: { readonly steps: ReadonlyMap<string, StepRecord>; readonly attempts: readonly AttemptRecord[] },
): { readonly steps: StepRecord[]; readonly attempts: AttemptRecord[] } {
  const pending = new Set(
    (raw.pendingActivities ?? []).map(({ activityId }) => deliveryPlace(activityId ?? '').path),
  );
  const silent = known.attempts.filter(
    ({ path, status, startedAt }) =>
      status === 'running' && !pending.has(path) && Date.now() - Date.parse(startedAt) > silentMs,
  );
  const rows = silent.flatMap((attempt) => {
    const step = known.steps.get(attempt.path);
    return step?.status === 'running' ? [{ attempt, step }] : [];
  });
  return {
    steps: rows.map(({ step }) => ({
      ...step,
      status: 'retrying',
      detail: 'its worker fell silent; waits for a worker',
    })),
    attempts: rows.map(({ attempt }) => attempt),
  };
}

/** An attempt that began later may not have been seen by the service when it was asked. */
const silentMs = 10_000;

/** PENDING_ACTIVITY_STATE_… of the service's API. */
const [scheduled, started] = [1, 2];

const timeOf = ({ scheduledTime }: PendingActivity): string =>
  new Date(scheduledTime?.seconds ? Number(scheduledTime.seconds) * 1000 : Date.now()).toISOString();

const waitDetail = (pending: PendingActivity, attempt: number): string => {
  const last = pending.lastFailure?.message;
  return attempt > 1
    ? `attempt ${attempt} waits for a worker${last ? `, after: ${last.slice(0, 200)}` : ''}`
    : 'waits for a worker';
};

function ignoreUnknown(error: unknown): undefined {
  if (error instanceof WorkflowNotFoundError) return undefined;
  throw error;
}
