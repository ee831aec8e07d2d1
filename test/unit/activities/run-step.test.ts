import path from 'node:path';
import { asyncLocalStorage } from '@temporalio/activity';
import type { Context } from '@temporalio/activity';
import pino from 'pino';
import { z } from 'zod';
import { createAdmission } from '../../../activities/admission.js';
import { createProcessExecutor } from '../../../activities/executors/process-executor.js';
import { createProjector } from '../../../activities/projector.js';
import { createRunStep } from '../../../activities/run-step.js';
import type { StepEnvironment } from '../../../activities/step-environment.js';
import { statePaths } from '../../../config/state-paths.js';
import { InfrastructureFailed, StepFailed } from '../../../sdk/errors.js';
import type { StepTask } from '../../../sdk/protocol/messages.js';
import { step, STEP } from '../../../sdk/step.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { storedSpec } from '../../support/stored-spec.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { aRun, anAttempt, at } from '../store/records.js';

/** The activity on a catalog of its own; its step fails as `failure` says. */
async function failing(failure: () => Error) {
  const folder = await temporaryFolder();
  const catalog = await openCatalog(`sqlite:${path.join(folder, 'catalog.db')}`);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  await catalog.insertRun(aRun());
  const logger = pino({ level: 'silent' });
  const env = {
    catalog,
    logger,
    worker: 'here:1',
    draining: new AbortController().signal,
    process: createProcessExecutor(),
    paths: statePaths(folder),
    projector: createProjector(catalog, { logger }),
    secrets: { value: () => Promise.resolve(undefined) },
    placed: { definition: () => Promise.reject(failure()) },
  } as unknown as StepEnvironment;
  const none = z.object({});
  const definition = step({ name: 'train', command: ['/bin/true'], input: none, output: none })[STEP];
  const spec = storedSpec(definition.spec);
  const task: StepTask = {
    v: 1,
    run: 'run-1',
    path: 'train',
    pipeline: 'p',
    build: 'b',
    queue: 'q',
    spec,
    executor: 'process',
    input: {},
  };
  const run = (attempt: number) =>
    asyncLocalStorage.run(
      {
        info: { attempt, retryPolicy: { maximumAttempts: 21 }, scheduledTimestampMs: Date.parse(at(0)) },
        cancellationSignal: new AbortController().signal,
        heartbeat: () => undefined,
      } as unknown as Context,
      () => createRunStep(env)(task),
    );
  return { catalog, run, env, step: definition };
}

const broken = () => new InfrastructureFailed('The engine is away.');

test('after the last attempt that infrastructure may use none is said to follow', async () => {
  const { catalog, run } = await failing(broken);
  await expect(run(20)).rejects.toMatchObject({ nonRetryable: false });
  expect(await catalog.steps('run-1')).toMatchObject([{ status: 'retrying' }]);
  await expect(run(21)).rejects.toMatchObject({ nonRetryable: true });
  expect(await catalog.steps('run-1')).toMatchObject([{ status: 'failed' }]);
});

test('an attempt that a later one has ended is lost, and the step is not said to have failed', async () => {
  const { catalog, run } = await failing(() => new StepFailed('It ended with exit code 137.'));
  await catalog.project({ attempts: [anAttempt({ attempt: 2, status: 'running' })] });
  await expect(run(1)).rejects.toMatchObject({ type: 'ATTEMPT_SUPERSEDED' });
  const attempts = await catalog.attempts('run-1', 'train');
  expect(attempts.map(({ attempt, status }) => `${attempt} ${status}`).sort()).toEqual([
    '1 lost',
    '2 running',
  ]);
  expect(await catalog.steps('run-1')).toEqual([]);
});

test('an attempt that was given up meanwhile is lost, whatever it ended with', async () => {
  const { catalog, run } = await failing(() => new StepFailed('It ended with exit code 137.'));
  await catalog.project({ attempts: [anAttempt({ attempt: 1, status: 'lost' })] });
  await expect(run(1)).rejects.toMatchObject({ type: 'ATTEMPT_SUPERSEDED' });
  expect(await catalog.attempts('run-1', 'train')).toMatchObject([{ attempt: 1, status: 'lost' }]);
});

test('an attempt that comes to its end after another has begun commits nothing', async () => {
  const { catalog, run, env, step } = await failing(broken);
  const folder = await temporaryFolder();
  Object.assign(env, {
    installation: 'test',
    store: await openArtifactStore(`file:${folder}/artifacts`),
    admission: createAdmission({ cpus: 4, memory: 2 ** 40, gpus: 0 }),
    process: createProcessExecutor(),
    placed: {
      definition: async () => step,
      helper: () => Promise.resolve(folder),
      place: () => Promise.resolve(folder),
    },
  });
  await expect(run(1)).resolves.toEqual({ output: {} });
  // One of before the step was scheduled anew is no successor.
  await catalog.project({ attempts: [anAttempt({ attempt: 9, status: 'lost', startedAt: at(-60) })] });
  await expect(run(1)).resolves.toEqual({ output: {} });
  await catalog.project({ attempts: [anAttempt({ attempt: 3, status: 'running' })] });
  await expect(run(2)).rejects.toMatchObject({ type: 'ATTEMPT_SUPERSEDED' });
  const attempts = await catalog.attempts('run-1', 'train');
  expect(attempts.map(({ attempt, status }) => `${attempt} ${status}`).sort()).toEqual([
    '1 completed',
    '2 lost',
    '3 running',
    '9 lost',
  ]);
});
