import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { asyncLocalStorage } from '@temporalio/activity';
import type { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import pino from 'pino';
import { z } from 'zod';
import { createAdmission } from '../../../activities/admission.js';
import type { Executor, ImageResolver } from '../../../activities/executors/executor.js';
import { noEnd } from '../../../activities/executors/executor.js';
import { createProjector } from '../../../activities/projector.js';
import { createRunStep } from '../../../activities/run-step.js';
import type { StepEnvironment } from '../../../activities/step-environment.js';
import { statePaths } from '../../../config/state-paths.js';
import type { StepTask } from '../../../sdk/protocol/messages.js';
import { file } from '../../../sdk/artifact.js';
import { StoreUnavailable } from '../../../sdk/errors.js';
import { step, STEP } from '../../../sdk/step.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { fakeEngine as fakeDocker } from '../../support/fake-engine.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { storedSpec } from '../../support/stored-spec.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { aRun, anAttempt, aStep, at } from '../store/records.js';

/** Containers that live until `end` aborts or they are released, and outlive whoever watches them. */
function fakeEngine() {
  const containers = new Set<number>();
  const prepared = new Set<number>();
  const state = { starts: 0, stopped: 0, exitCode: 0, releaseFails: false, end: new AbortController() };
  const until = (signals: readonly (AbortSignal | undefined)[]) =>
    new Promise<void>((resolve) => {
      for (const signal of signals) {
        if (signal?.aborted) resolve();
        signal?.addEventListener('abort', () => resolve(), { once: true });
      }
    });
  const docker: Pick<Executor & ImageResolver, 'kind' | 'find' | 'bring' | 'execute' | 'release'> = {
    kind: 'docker',
    find: ({ attempt }) =>
      Promise.resolve(containers.has(attempt) ? 'begun' : prepared.has(attempt) ? 'prepared' : 'absent'),
    bring: () => Promise.resolve(),
    async execute({ attempt, folder }, { signal, leave }) {
      if (!containers.has(attempt)) state.starts += 1;
      containers.add(attempt);
      await until([state.end.signal, signal, leave]);
      if (signal.aborted) {
        state.stopped += 1;
        return noEnd('cancelled');
      }
      if (!state.end.signal.aborted) return noEnd('left');
      await writeFile(path.join(folder, 'output.json'), '{"n":1}');
      await writeFile(path.join(folder, 'out/made'), 'made').catch(() => undefined);
      return { ...noEnd('exited'), exitCode: state.exitCode };
    },
    async release({ attempt }) {
      if (state.releaseFails) throw new Error('EBUSY: resource busy or locked');
      containers.delete(attempt);
    },
  };
  return { state, docker, containers, prepared };
}

const makes = step({
  name: 'train',
  image: 'busybox:latest',
  command: ['/bin/true', '{out.made}'],
  input: z.object({}),
  output: z.object({ made: file() }),
})[STEP];

async function host() {
  const folder = await temporaryFolder();
  const catalog = await openCatalog(`sqlite:${path.join(folder, 'catalog.db')}`);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  await catalog.insertRun(aRun());
  const logger = pino({ level: 'silent' });
  const definition = step({
    name: 'train',
    image: 'busybox:latest',
    command: ['/bin/true'],
    input: z.object({}),
    output: z.object({ n: z.number() }),
  })[STEP];
  const draining = new AbortController();
  const engine = fakeEngine();
  const env = {
    catalog,
    logger,
    installation: 'here',
    worker: 'here:1',
    draining: draining.signal,
    onStop: 'hand-over',
    docker: engine.docker,
    paths: statePaths(folder),
    projector: createProjector(catalog, { logger }),
    store: await openArtifactStore(`file:${folder}/artifacts`),
    admission: createAdmission({ cpus: 4, memory: 2 ** 40, gpus: 0 }),
    secrets: { value: () => Promise.resolve(undefined) },
    placed: { definition: async () => definition, helper: async () => folder, place: async () => folder },
  } as unknown as StepEnvironment;
  const task: StepTask = {
    v: 1,
    run: 'run-1',
    path: 'train',
    pipeline: 'p',
    build: 'b',
    queue: 'q',
    spec: storedSpec(definition.spec),
    executor: 'docker',
    input: {},
  };
  const beats: unknown[] = [];
  const deliver = (given: Partial<StepTask>, cancellation = new AbortController(), on = env) =>
    asyncLocalStorage.run(
      {
        info: { attempt: 1, retryPolicy: { maximumAttempts: 21 }, scheduledTimestampMs: Date.parse(at(0)) },
        cancellationSignal: cancellation.signal,
        heartbeat: (details: unknown) => void beats.push(details),
      } as unknown as Context,
      () => createRunStep(on)({ ...task, ...given }),
    );
  const begun = () => waitFor(() => engine.state.starts === 1, { what: 'the program to start' });
  return { catalog, env, engine, deliver, draining, begun, beats };
}

const givenUp = () => new CancelledFailure('NOT_FOUND');

test('a second delivery waits for the first, takes its result and starts nothing', async () => {
  const { engine, deliver, begun, catalog } = await host();
  const first = deliver({ attempt: 1, delivery: 1 });
  await begun();
  const second = deliver({ attempt: 1, delivery: 2 });
  await pause(200);
  engine.state.end.abort();
  expect(await Promise.all([first, second])).toEqual([{ output: { n: 1 } }, { output: { n: 1 } }]);
  expect(engine.state.starts).toBe(1);
  expect(await catalog.attempts('run-1')).toMatchObject([{ attempt: 1, status: 'completed', build: 'b' }]);
});

test('a failure that was recorded is told again, and the attempt stays as it was recorded', async () => {
  const { deliver, catalog, engine } = await host();
  const failure = { code: 'STEP_FAILED', what: 'It ended with exit code 3.' };
  const row = anAttempt({ status: 'failed', startedAt: at(1), closedAt: at(100), worker: 'first:1', wallSeconds: 99, failure }); // prettier-ignore
  await catalog.project({ attempts: [row], steps: [aStep({ status: 'retrying' })] });
  await expect(deliver({ attempt: 1, delivery: 2 })).rejects.toMatchObject({ type: 'STEP_FAILED' });
  expect(await catalog.attempts('run-1')).toMatchObject([row]);
  expect(engine.state.starts).toBe(0);
});

test('a failure that was seen after Temporal had given the delivery up is recorded for the next one', async () => {
  const { deliver, catalog, engine, begun } = await host();
  const cancellation = new AbortController();
  engine.state.exitCode = 3;
  const first = deliver({ attempt: 1, delivery: 1 }, cancellation);
  await begun();
  cancellation.abort(givenUp());
  engine.state.end.abort();
  await expect(first).rejects.toMatchObject({ type: 'STEP_FAILED' });
  await expect(deliver({ attempt: 1, delivery: 2 })).rejects.toMatchObject({ type: 'STEP_FAILED' });
  expect(await catalog.attempts('run-1')).toMatchObject([{ status: 'failed' }]);
  expect(engine.state.starts).toBe(1);
});

test('a drained worker leaves the container to the next delivery', async () => {
  const { engine, deliver, begun, draining, catalog } = await host();
  const first = deliver({ attempt: 1, delivery: 1 });
  await begun();
  draining.abort();
  await expect(first).rejects.toMatchObject({
    type: 'ATTEMPT_HANDED_OVER',
    details: [{ fields: { host: 'here' } }],
  });
  expect([...engine.containers]).toEqual([1]);
  expect(await catalog.attempts('run-1')).toMatchObject([{ status: 'running' }]);
});

test('the step of a build from before workflows counted attempts is stopped instead, and tried again', async () => {
  const { engine, deliver, begun, draining } = await host();
  const cancellation = new AbortController();
  const first = deliver({}, cancellation);
  await begun();
  draining.abort();
  cancellation.abort(new CancelledFailure('WORKER_SHUTDOWN'));
  await expect(first).rejects.toMatchObject({ type: 'ATTEMPT_PREEMPTED', nonRetryable: false });
  expect(engine.state.stopped).toBe(1);
});

test('the container of a run that is over is stopped, not left to the sweep', async () => {
  const { engine, deliver, begun, catalog } = await host();
  const cancellation = new AbortController();
  const first = deliver({ attempt: 1, delivery: 1 }, cancellation);
  await begun();
  await catalog.updateRun({ id: 'run-1', status: 'failed', closedAt: at(9) });
  cancellation.abort(givenUp());
  await expect(first).rejects.toMatchObject({ name: 'CancelledFailure' });
  expect(engine.state.stopped).toBe(1);
  expect([...engine.containers]).toEqual([]);
});

test('a result that is recorded stands though nothing could be cleaned up', async () => {
  const { engine, deliver, catalog } = await host();
  engine.state.releaseFails = true;
  engine.state.end.abort();
  expect(await deliver({ attempt: 1, delivery: 1 })).toEqual({ output: { n: 1 } });
  expect(await catalog.attempts('run-1')).toMatchObject([{ status: 'completed' }]);
});

test('an attempt that is fenced while it comes to its end completes nothing', async () => {
  const { engine, deliver, begun, catalog } = await host();
  const first = deliver({ attempt: 1, delivery: 1 });
  await begun();
  await waitFor(async () => (await catalog.attempts('run-1')).length === 1, { what: 'its row' });
  await catalog.project({ attempts: [anAttempt({ status: 'lost', startedAt: at(1) })] });
  engine.state.end.abort();
  await expect(first).rejects.toMatchObject({ type: 'ATTEMPT_SUPERSEDED' });
  expect(await catalog.attempts('run-1')).toMatchObject([{ status: 'lost' }]);
  expect((await catalog.steps('run-1'))[0]?.status).not.toBe('completed');
});

test('what waits for a worker that has the attempt still is cancelled at once', async () => {
  const { env, deliver, begun, engine } = await host();
  const first = deliver({ attempt: 1, delivery: 1 });
  await begun();
  const cancellation = new AbortController();
  const second = deliver({ attempt: 1, delivery: 2 }, cancellation);
  await mkdir(env.paths.attempt('run-1', 'train', 1), { recursive: true });
  cancellation.abort(new CancelledFailure('CANCELLED'));
  await expect(second).rejects.toMatchObject({ name: 'CancelledFailure' });
  engine.state.end.abort();
  await first;
});

test('a checkpoint that was carried over for an attempt whose worker then died is there for its next delivery', async () => {
  const { env, engine, deliver, catalog } = await host();
  const { socketPath } = await fakeDocker({ 'GET /containers/json': { status: 200, json: [] } });
  const asked = process.env['DOCKER_HOST'];
  process.env['DOCKER_HOST'] = `unix://${socketPath}`;
  releaseAtEnd(() => {
    if (asked === undefined) delete process.env['DOCKER_HOST'];
    else process.env['DOCKER_HOST'] = asked;
  });
  await catalog.project({ attempts: [anAttempt({ attempt: 1, status: 'lost' })] });
  const folder = env.paths.attempt('run-1', 'train', 2);
  for (const [file, text] of Object.entries({ 'checkpoint/model': 'hours', 'in/data': 'half of it' })) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), text);
  }
  const first = deliver({ attempt: 2, delivery: 2 });
  await waitFor(() => engine.state.starts === 1, { what: 'the program to start' });
  const seen = ['checkpoint/model', 'in/data'].map((file) =>
    readFile(path.join(folder, file), 'utf8').catch(() => 'nothing'),
  );
  expect(await Promise.all(seen).finally(() => engine.state.end.abort())).toEqual(['hours', 'nothing']);
  await first;
  expect(await catalog.timeline('run-1')).toContainEqual(
    expect.objectContaining({ attempt: 2, kind: 'checkpoint-restored' }),
  );
});

test('who waits for a worker that has the attempt still beats meanwhile: it is not taken for dead, and hears of a cancellation', async () => {
  const { deliver, begun, engine, beats } = await host();
  const first = deliver({ attempt: 1, delivery: 1 });
  await begun();
  const before = beats.length;
  const cancellation = new AbortController();
  const second = deliver({ attempt: 1, delivery: 2 }, cancellation);
  await waitFor(() => beats.length >= before + 4, { what: 'beats of both' });
  expect(beats.slice(before)).toContainEqual({ status: 'running', host: 'here' });
  cancellation.abort(new CancelledFailure('CANCELLED'));
  await expect(second).rejects.toMatchObject({ name: 'CancelledFailure' });
  engine.state.end.abort();
  await first;
});

test('one that was given up before it began leaves no row: its next delivery begins under the same number', async () => {
  const { deliver, env, engine, catalog } = await host();
  const all = { cpus: 4, memory: 1, gpus: 0, shm: 0, pids: 1, disk: 0 };
  const giveBack = env.admission.count(all);
  const cancellation = new AbortController();
  const first = deliver({ attempt: 1, delivery: 1, executor: 'process' }, cancellation);
  await waitFor(async () => (await catalog.steps('run-1'))[0]?.status === 'queued', { what: 'it to wait' });
  cancellation.abort(givenUp());
  await expect(first).rejects.toMatchObject({ name: 'CancelledFailure' });
  expect(await catalog.attempts('run-1')).toEqual([]);
  giveBack();
  engine.state.end.abort();
  expect(await deliver({ attempt: 1, delivery: 2 })).toEqual({ output: { n: 1 } });
});

test('that it was lost is told again when the word of it was lost, and by nobody as cancelled', async () => {
  const { deliver, catalog } = await host();
  const failure = { code: 'ATTEMPT_LOST', what: 'The container is gone, and nobody saw how it ended.' };
  await catalog.project({ attempts: [anAttempt({ status: 'lost', failure })] });
  await expect(deliver({ attempt: 1, delivery: 3 })).rejects.toMatchObject({ type: 'ATTEMPT_LOST' });
});

test('trouble of the worker that takes it up stops no container: it is left as it is for the next delivery', async () => {
  const { deliver, begun, draining, env, engine, catalog } = await host();
  const first = deliver({ attempt: 1, delivery: 1 });
  await begun();
  draining.abort();
  await expect(first).rejects.toMatchObject({ type: 'ATTEMPT_HANDED_OVER' });
  const next = new AbortController().signal;
  const away = { ...catalog, attempts: () => Promise.reject(new Error('connection refused')) };
  const inTrouble = { ...env, draining: next, catalog: away };
  await expect(deliver({ attempt: 1, delivery: 2 }, undefined, inTrouble)).rejects.toMatchObject({
    type: 'ATTEMPT_HANDED_OVER',
    details: [{ fields: { host: 'here', trouble: true } }],
  });
  expect([[...engine.containers], engine.state.stopped]).toEqual([[1], 0]);
  engine.state.end.abort();
  expect(await deliver({ attempt: 1, delivery: 3 }, undefined, { ...env, draining: next })).toEqual({
    output: { n: 1 },
  });
  expect(engine.state.starts).toBe(1);
});

test('what a container made is not made again for a store that is away at its end', async () => {
  const { deliver, env, engine, catalog } = await host();
  engine.state.end.abort();
  const definition = makes;
  const away = { ...env.store, put: () => Promise.reject(new StoreUnavailable('The store is away.')) };
  const given = { ...env, placed: { ...env.placed, definition: async () => definition } };
  const task = { spec: storedSpec(definition.spec), attempt: 1 };
  await expect(deliver({ ...task, delivery: 1 }, undefined, { ...given, store: away })).rejects.toMatchObject(
    { type: 'ATTEMPT_HANDED_OVER', details: [{ fields: { host: 'here', trouble: true } }] },
  );
  expect(await deliver({ ...task, delivery: 2 }, undefined, given)).toMatchObject({
    output: { made: { size: 4 } },
  });
  expect(engine.state.starts).toBe(1);
  expect(await catalog.attempts('run-1')).toMatchObject([{ attempt: 1, status: 'completed' }]);
});

test('a container that was made and never started is made anew in the same attempt', async () => {
  const { deliver, engine, catalog } = await host();
  await catalog.project({
    attempts: [anAttempt({ status: 'running' })],
    steps: [aStep({ status: 'retrying' })],
  });
  engine.prepared.add(1);
  engine.state.end.abort();
  expect(await deliver({ attempt: 1, delivery: 2 })).toEqual({ output: { n: 1 } });
  expect(await catalog.attempts('run-1')).toMatchObject([{ attempt: 1, status: 'completed' }]);
});
