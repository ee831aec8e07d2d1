import path from 'node:path';
import pino from 'pino';
import { failureActivities } from '../../../activities/failure-activities.js';
import { createProjector } from '../../../activities/projector.js';
import type { StepEnvironment } from '../../../activities/step-environment.js';
import type { NextMove, RecordFailure } from '../../../sdk/protocol/messages.js';
import { activityNames } from '../../../sdk/protocol/names.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { aRun, anAttempt, aStep, at } from '../store/records.js';

async function recorder() {
  const folder = await temporaryFolder();
  const catalog = await openCatalog(`sqlite:${path.join(folder, 'catalog.db')}`);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  await catalog.insertRun(aRun());
  await catalog.project({ steps: [aStep()], attempts: [anAttempt({ status: 'running' })] });
  const projector = createProjector(catalog, { logger: pino({ level: 'silent' }) });
  const record = (next: NextMove, fields: Partial<RecordFailure> = {}) =>
    failureActivities({ catalog, projector } as StepEnvironment)[activityNames.recordFailure]({
      run: 'run-1',
      path: 'train',
      name: 'train',
      attempt: 1,
      kind: 'worker_lost',
      failure: { code: 'WORKER_LOST', what: 'The worker of the attempt fell silent.' },
      at: at(9),
      reason: 'its worker was lost',
      next,
      ...fields,
    });
  return { catalog, record };
}

const takeUp = { do: 'take-up', host: 'host-1', withinMs: 60_000 } as const;
const host = { id: 'host-1', queue: 'millrace', name: 'here', gone: false };

test('an attempt that its host may take up again goes on, and only its step is said to wait', async () => {
  const { catalog, record } = await recorder();
  await catalog.hosts.beat({ ...host, seenAt: new Date().toISOString() });
  expect(await record(takeUp)).toEqual({});
  expect(await catalog.steps('run-1')).toMatchObject([{ status: 'retrying' }]);
  expect(await catalog.attempts('run-1')).toMatchObject([{ status: 'running' }]);
  expect(await catalog.timeline('run-1')).toMatchObject([
    { kind: 'take-up', text: expect.stringContaining('waits up to 60 s for it') },
  ]);
});

test('a host that said it goes is not waited for', async () => {
  const { catalog, record } = await recorder();
  await catalog.hosts.beat({ ...host, seenAt: new Date().toISOString(), gone: true });
  expect(await record(takeUp)).toEqual({ hostGone: true });
  expect(await catalog.timeline('run-1')).toEqual([]);
});

test('one that is silent may have had no catalog to tell, and is waited for', async () => {
  const { catalog, record } = await recorder();
  await catalog.hosts.beat({ ...host, seenAt: at(0) });
  expect(await record(takeUp)).toEqual({});
});

test('one that another attempt follows is lost, so that it commits nothing any more', async () => {
  const { catalog, record } = await recorder();
  await record({ do: 'retry', waitMs: 1_500, memory: 1 });
  expect(await catalog.attempts('run-1')).toMatchObject([
    { status: 'lost', closedAt: at(9), failure: { code: 'WORKER_LOST' } },
  ]);
  expect(await catalog.steps('run-1')).toMatchObject([
    { status: 'retrying', detail: 'tried again in 1.5 s after attempt 1: its worker was lost (WORKER_LOST)' },
  ]);
});

test('a step whose whole time is over is parked, though its last attempt was cancelled for that', async () => {
  const { catalog, record } = await recorder();
  await catalog.project({
    steps: [aStep({ status: 'cancelled', closedAt: at(5) })],
    attempts: [anAttempt({ status: 'cancelled', closedAt: at(5) })],
  });
  await record({ do: 'park' });
  expect(await catalog.steps('run-1')).toMatchObject([{ status: 'parked' }]);
});

test('a parked step is open, a failed one closed', async () => {
  const { catalog, record } = await recorder();
  await record({ do: 'park', until: at(60) });
  expect(await catalog.steps('run-1')).toMatchObject([{ status: 'parked', detail: `until ${at(60)}` }]);
  await record({ do: 'fail' });
  expect(await catalog.steps('run-1')).toMatchObject([{ status: 'failed', closedAt: at(9) }]);
});

test('a result that was recorded before its worker fell silent is taken, whatever was decided, unless it cannot be had', async () => {
  const { catalog, record } = await recorder();
  const completed = { status: 'completed', closedAt: at(8) } as const;
  await catalog.project({ steps: [aStep(completed)], attempts: [anAttempt(completed)] });
  const retry = { do: 'retry', waitMs: 0, memory: 1 } as const;
  expect(await record(retry)).toEqual({ hasResult: true });
  expect(await record({ do: 'fail' })).toEqual({ hasResult: true });
  expect(await catalog.steps('run-1')).toMatchObject([{ status: 'completed' }]);
  expect((await catalog.timeline('run-1')).map(({ kind }) => kind)).toEqual(['recorded']);
  expect(await record(retry, { anyway: true })).toEqual({});
});
