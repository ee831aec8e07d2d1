import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import {
  ApplicationFailure,
  CancelledFailure,
  defaultPayloadConverter,
  RetryState,
  TerminatedFailure,
  TimeoutFailure,
  TimeoutType,
  toPayloads,
} from '@temporalio/common';
import { reconcileRun } from '../../../client/reconcile.js';
import { StepFailed } from '../../../sdk/errors.js';
import { toFailureInfo } from '../../../sdk/protocol/failure.js';
import type { StepHeartbeat } from '../../../sdk/protocol/messages.js';
import type { AttemptStatus } from '../../../sdk/states.js';
import type { RunRecord } from '../../../store/catalog.js';
import { anApproval, anAttempt, aRun, aStep, at } from '../store/records.js';
import { newCatalog } from './catalog.js';

type Pending = {
  readonly activityId: string;
  readonly type?: string;
  /** 1 scheduled, 2 started, as in the service's API. */
  readonly state: number;
  readonly attempt: number;
  readonly lastFailure?: string;
  readonly beat?: StepHeartbeat;
};
type Service = {
  readonly status?: string;
  readonly pending?: readonly Pending[];
  readonly result?: () => Promise<unknown>;
  readonly error?: Error;
  /** Called when the service is asked, before it answers. */
  readonly asked?: () => Promise<unknown>;
};

/** The part of Temporal's client that reconciling asks. */
const temporal = ({ status = 'RUNNING', pending = [], result, error, asked }: Service): Client =>
  ({
    workflow: {
      getHandle: () => ({
        async describe() {
          if (error) throw error;
          const pendingActivities = pending.map(({ type, activityId, lastFailure, beat, ...rest }) => ({
            ...rest,
            activityId,
            activityType: { name: type ?? activityId },
            lastFailure: lastFailure === undefined ? null : { message: lastFailure },
            heartbeatDetails: beat && { payloads: toPayloads(defaultPayloadConverter, beat) },
            scheduledTime: { seconds: Date.parse(at(9)) / 1000 },
          }));
          await asked?.();
          return { status: { name: status }, closeTime: new Date(at(30)), raw: { pendingActivities } };
        },
        result: result ?? (() => Promise.reject(new Error('has no result'))),
      }),
    },
  }) as unknown as Client;

/** A run with an open step, its attempt and an open approval. */
async function openRun(run: Partial<RunRecord> = {}) {
  const catalog = await newCatalog();
  const record = aRun({ startedAt: new Date().toISOString(), ...run });
  await catalog.insertRun(record);
  await catalog.project({
    steps: [aStep(), aStep({ path: 'done', status: 'completed', closedAt: at(5) })],
    attempts: [anAttempt()],
  });
  await catalog.openApproval(anApproval());
  const reconcile = (service: Service) =>
    reconcileRun(record, { temporal: temporal(service), service: 'here', catalog });
  const step = async (path = 'train') => (await catalog.steps('run-1')).find((each) => each.path === path);
  const attempts = async () => (await catalog.attempts('run-1')).map(({ status }) => status);
  return { catalog, reconcile, step, attempts, run: () => catalog.run('run-1') };
}

const failedBy = (cause: Error) => () =>
  Promise.reject(
    new WorkflowFailedError('Workflow execution failed', cause, RetryState.NON_RETRYABLE_FAILURE),
  );
const stepFailed = new StepFailed('It broke.', {
  run: 'run-1',
  step: 'train',
  attempt: 1,
  fields: { exitCode: 3 },
});
const asApplication = ApplicationFailure.create({
  message: 'x',
  type: 'STEP_FAILED',
  details: [toFailureInfo(stepFailed)],
});

test.each<[string, Service, object, string]>([
  ['COMPLETED', { result: async () => ({ auc: 0.8 }) }, { status: 'completed', output: { auc: 0.8 } }, 'cancelled'],
  ['FAILED', { result: failedBy(asApplication) }, { status: 'failed', failure: { code: 'STEP_FAILED', what: 'It broke.', step: 'train', attempt: 1, fields: { exitCode: 3 } } }, 'cancelled'],
  ['FAILED', { result: failedBy(new Error('odd')) }, { status: 'failed', failure: { code: 'RUN_FAILED', run: 'run-1' } }, 'cancelled'],
  ['CANCELLED', { result: failedBy(new CancelledFailure('x')) }, { status: 'cancelled', failure: { code: 'RUN_CANCELLED' } }, 'cancelled'],
  ['TERMINATED', { result: failedBy(new TerminatedFailure('by hand')) }, { status: 'terminated', failure: { code: 'RUN_FAILED', what: 'The run was terminated from outside.' } }, 'lost'],
  ['TIMED_OUT', { result: failedBy(new TimeoutFailure('x', undefined, TimeoutType.START_TO_CLOSE)) }, { status: 'timed_out', failure: { code: 'RUN_TIMEOUT' } }, 'lost'],
])('a run that Temporal says is %s ends so in the catalog, with what was open in it (%#)', async (status, service, expected, left) => {
  const { reconcile, run, step, attempts, catalog } = await openRun();
  await reconcile({ status, ...service });
  expect(await run()).toMatchObject({ ...expected, closedAt: at(30) });
  expect(await step()).toMatchObject({ status: left, closedAt: at(30) });
  expect(await step('done')).toMatchObject({ status: 'completed', closedAt: at(5) });
  expect(await attempts()).toEqual([left]);
  expect(await catalog.approvals({ run: 'run-1' })).toMatchObject([{ status: 'cancelled' }]);
}); // prettier-ignore

test('a run the service has never heard of is given time to appear, and is then closed', async () => {
  const error = new WorkflowNotFoundError('not found', 'run-1', undefined);
  const young = await openRun();
  await young.reconcile({ error });
  expect(await young.run()).toMatchObject({ status: 'running' });
  const old = await openRun({ startedAt: new Date(Date.now() - 60_000).toISOString() });
  await old.reconcile({ error });
  expect(await old.run()).toMatchObject({
    status: 'terminated',
    failure: { code: 'RUN_FAILED', what: 'The Temporal service does not know this run.' },
  });
  expect(await old.step()).toMatchObject({ status: 'lost' });
});

test('what another service or namespace runs is not judged by this one', async () => {
  const error = new WorkflowNotFoundError('not found', 'run-1', undefined);
  const startedAt = new Date(Date.now() - 60_000).toISOString();
  const elsewhere = await openRun({ startedAt, service: 'elsewhere' });
  await elsewhere.reconcile({ error });
  expect(await elsewhere.run()).toMatchObject({ status: 'running', service: 'elsewhere' });
  const ours = await openRun({ startedAt, service: 'here' });
  await ours.reconcile({ error });
  expect(await ours.run()).toMatchObject({ status: 'terminated' });
});

test('an unreachable service closes nothing and is said to be', async () => {
  const { reconcile, run } = await openRun({ startedAt: at(0) });
  await expect(reconcile({ error: new Error('unavailable') })).rejects.toThrow('unavailable');
  expect(await run()).toMatchObject({ status: 'running' });
});

test('what keeps the answer away is no verdict: the run stays open until the service has said what ended it', async () => {
  const away = Object.assign(new Error('14 UNAVAILABLE'), { code: 14 });
  for (const error of [away, new TypeError('odd')]) {
    const { reconcile, run, step } = await openRun();
    await expect(reconcile({ status: 'FAILED', result: () => Promise.reject(error) })).rejects.toBe(error);
    expect(await run()).toMatchObject({ status: 'running' });
    expect((await run())?.failure).toBeUndefined();
    expect(await step()).toMatchObject({ status: 'running' });
    await reconcile({ status: 'FAILED', result: failedBy(asApplication) });
    expect(await run()).toMatchObject({ status: 'failed', failure: { code: 'STEP_FAILED' } });
  }
});

test.each([
  ['TERMINATED', new TerminatedFailure('by hand'), { status: 'failed', failure: { code: 'RUN_FAILED' } }],
  ['CANCELLED', new CancelledFailure('x'), { status: 'cancelled' }],
])('a child run that ends as %s closes its row in the parent', async (status, cause, expected) => {
  const { reconcile, catalog } = await openRun({ parent: { run: 'above', path: 'sub' } });
  await catalog.insertRun(aRun({ id: 'above' }));
  await catalog.project({ steps: [aStep({ run: 'above', path: 'sub', name: 'sub', kind: 'pipeline' })] });
  await reconcile({ status, result: failedBy(cause) });
  expect(await catalog.steps('above')).toMatchObject([
    { path: 'sub', kind: 'pipeline', closedAt: at(30), ...expected },
  ]);
});

test('what the parent said of a child run stays', async () => {
  const { reconcile, catalog } = await openRun({ parent: { run: 'above', path: 'sub' } });
  await catalog.insertRun(aRun({ id: 'above' }));
  const row = aStep({ run: 'above', path: 'sub', status: 'lost', closedAt: at(7) });
  await catalog.project({ steps: [row] });
  await reconcile({ status: 'TERMINATED', result: failedBy(new TerminatedFailure('by hand')) });
  expect(await catalog.steps('above')).toEqual([row]);
});

test('a step that no worker has taken yet is shown as waiting for one', async () => {
  const { reconcile, step } = await openRun();
  await reconcile({ pending: [{ activityId: 'score#2', type: 'score', state: 1, attempt: 1 }] });
  expect(await step('score#2')).toEqual({
    run: 'run-1',
    path: 'score#2',
    name: 'score',
    kind: 'step',
    status: 'queued',
    detail: 'waits for a worker',
    scheduledAt: at(9),
  });
});

test('an attempt that the service has given up is lost, and its step waits for the next', async () => {
  const { reconcile, step, attempts } = await openRun();
  await reconcile({
    pending: [{ activityId: 'train', state: 1, attempt: 2, lastFailure: 'activity Heartbeat timeout' }],
  });
  expect(await attempts()).toEqual(['lost']);
  expect(await step()).toMatchObject({
    status: 'retrying',
    detail: 'attempt 2 waits for a worker, after: activity Heartbeat timeout',
    scheduledAt: at(1),
  });
});

test('an attempt is lost also when the next one runs already', async () => {
  const { reconcile, step, attempts, catalog } = await openRun();
  await catalog.project({ steps: [aStep()], attempts: [anAttempt({ attempt: 2 })] });
  await reconcile({ pending: [{ activityId: 'train', state: 2, attempt: 2 }] });
  expect((await attempts()).sort()).toEqual(['lost', 'running']);
  expect(await step()).toMatchObject({ status: 'running' });
});

test('what runs stays as it is, and our own activities are no steps', async () => {
  const { reconcile, step, attempts, catalog } = await openRun();
  const before = await catalog.steps('run-1');
  await reconcile({
    pending: [
      { activityId: 'train', state: 2, attempt: 1 },
      { activityId: '7', type: 'millrace.register', state: 1, attempt: 1 },
    ],
  });
  expect(await catalog.steps('run-1')).toEqual(before);
  expect(await step()).toMatchObject({ status: 'running' });
  expect(await attempts()).toEqual(['running']);
});

test('a step that starts while the service is asked is not shown as waiting again', async () => {
  const { reconcile, step, catalog } = await openRun();
  await reconcile({
    pending: [{ activityId: 'score', state: 1, attempt: 1 }],
    asked: () =>
      catalog.project({ steps: [aStep({ path: 'score' })], attempts: [anAttempt({ path: 'score' })] }),
  });
  expect(await step('score')).toMatchObject({ status: 'running' });
});

test('a step that was adopted between the look at the service and the row of its silence is shown as running again', async () => {
  const { reconcile, step, attempts, catalog } = await openRun();
  const { project } = catalog;
  // The service was asked between two deliveries, and the row of the adoption came in front of what was made of the answer.
  jest.spyOn(catalog, 'project').mockImplementationOnce(async (rows) => {
    await project({ steps: [aStep({ detail: '' })], attempts: [anAttempt({ worker: 'worker-2' })] });
    await project(rows);
  });
  await reconcile({});
  expect(await step()).toMatchObject({ status: 'retrying', detail: expect.stringContaining('fell silent') });
  const pending = { activityId: 'train@1.2', type: 'train', state: 2, attempt: 1 };
  await reconcile({ pending: [{ ...pending, beat: { status: 'running', detail: 'epoch 3' } }] });
  expect(await step()).toMatchObject({ status: 'running', detail: 'epoch 3', scheduledAt: at(1) });
  expect(await attempts()).toEqual(['running']);
});

test.each<[string, Partial<Pending>, AttemptStatus]>([
  ['waits for room on its worker', { beat: { status: 'queued', detail: 'needs 2 cpus' } }, 'running'],
  ['has said nothing yet', {}, 'running'],
  ['has been given up meanwhile', { beat: { status: 'running' } }, 'lost'],
])('a delivery that %s is not shown as running', async (_, said, status) => {
  const { reconcile, step, catalog } = await openRun();
  const row = { status: 'retrying', detail: 'its host may have it still' } as const;
  await catalog.project({ steps: [aStep(row)], attempts: [anAttempt({ status })] });
  await reconcile({ pending: [{ activityId: 'train@1.2', type: 'train', state: 2, attempt: 1, ...said }] });
  expect(await step()).toMatchObject(row);
});
