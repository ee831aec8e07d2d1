import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import pino from 'pino';
import { z } from 'zod';
import { createAdmission } from '../../../activities/admission.js';
import type { Attempt } from '../../../activities/attempt.js';
import { createDockerExecutor } from '../../../activities/executors/docker-executor.js';
import { connectDocker } from '../../../activities/executors/docker-connection.js';
import { createProcessExecutor } from '../../../activities/executors/process-executor.js';
import { stepProcesses } from '../../../activities/executors/process-leftovers.js';
import { createProjector } from '../../../activities/projector.js';
import { reportAttempt } from '../../../activities/report-attempt.js';
import { releaseAttempt, runInExecutor } from '../../../activities/run-in-executor.js';
import type { StepEnvironment } from '../../../activities/step-environment.js';
import { packageRoot } from '../../../config/package-root.js';
import { statePaths } from '../../../config/state-paths.js';
import { dataset } from '../../../sdk/artifact.js';
import type { StepTask } from '../../../sdk/protocol/messages.js';
import { step, STEP } from '../../../sdk/step.js';
import type { Catalog } from '../../../store/catalog.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { aRun, anAttempt } from '../../unit/store/records.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { storedSpec } from '../../support/stored-spec.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { loggedLines } from './executor-contract.js';

const never = new AbortController().signal;

/** A host with room for one step, and the deliveries of attempts to it. */
async function startHost(executor: 'docker' | 'process', script: string) {
  const folder = await temporaryFolder();
  const installation = `test-${path.basename(folder)}`;
  const catalog: Catalog = await openCatalog(`sqlite:${path.join(folder, 'catalog.db')}`);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  await catalog.insertRun(aRun());
  const logger = pino({ level: 'silent' });
  const docker = createDockerExecutor();
  const image =
    executor === 'docker'
      ? await docker.resolve(
          {
            image: { kind: 'reference', reference: 'busybox:latest' },
            requirements: undefined,
            context: undefined,
          },
          { signal: never },
        )
      : undefined;
  const definition = step({
    name: 'train',
    command: ['sh', '-c', script],
    input: z.object({}),
    output: z.object({ table: dataset() }),
  })[STEP];
  const env = {
    installation,
    service: undefined,
    worker: 'here:1',
    executor: 'auto',
    catalog,
    logger,
    paths: statePaths(folder),
    projector: createProjector(catalog, { logger }),
    store: await openArtifactStore(`file:${folder}/artifacts`),
    admission: createAdmission({ cpus: 1, memory: 2 ** 40, gpus: 0 }),
    secrets: { value: () => Promise.resolve(undefined) },
    placed: { helper: () => Promise.resolve(path.join(packageRoot(), 'sdk/python')) },
    docker,
    process: createProcessExecutor(),
  } as unknown as StepEnvironment;
  const task: StepTask = {
    v: 1,
    run: 'run-1',
    path: 'train',
    pipeline: 'p',
    build: 'b',
    queue: 'q',
    spec: storedSpec(definition.spec),
    executor,
    ...(image && { image }),
    input: {},
  };
  releaseAtEnd(() => releaseAttempt({ task, attempt: 1, env }));
  const details: string[] = [];
  const deliver = (given: Partial<Pick<Attempt, 'attempt' | 'delivery' | 'signal' | 'leave'>> = {}) => {
    const attempt = given.attempt ?? 1;
    const report = reportAttempt({
      task,
      attempt,
      env,
      heartbeat: ({ detail }) => void (detail && details.push(detail)),
    });
    const parts = {
      task,
      attempt,
      delivery: 1,
      definition,
      input: {},
      report,
      env,
      signal: never,
      roomWithinMs: undefined,
      leave: never,
    };
    return runInExecutor({ ...parts, mask: (value) => value, ...given }).finally(() => report.stop());
  };
  const log = env.paths.attemptLog('run-1', 'train', 1);
  const logHas = (text: string) =>
    waitFor(async () => (await readFile(log, 'utf8')).includes(text), { what: `\`${text}\` in the log` });
  /** A first delivery whose worker stops while the step runs. */
  const handOver = async (text: string) => {
    const leave = new AbortController();
    const first = deliver({ leave: leave.signal });
    first.catch(() => undefined);
    await logHas(text);
    leave.abort();
    return first;
  };
  const release = () => releaseAttempt({ task, attempt: 1, env });
  return { env, catalog, deliver, handOver, release, log, logHas, details, installation };
}

const event = (fields: object) => `echo '${JSON.stringify(fields)}' >> $MILLRACE_DIR/events.jsonl;`;

describeWith({ docker: true }, 'a step in a container that comes to a worker again', () => {
  test('is handed over by the one that stops, and followed to its end by the next', async () => {
    const script =
      `${event({ type: 'metric', name: 'loss', value: 1, index: 1 })} ${event({ type: 'message', level: 'info', text: 'one' })}` +
      ` cp input.json out/table; echo begun; sleep 2; ${event({ type: 'metric', name: 'loss', value: 2, index: 2 })}` +
      ` ${event({ type: 'message', level: 'info', text: 'two' })} echo done`;
    const { deliver, handOver, catalog, env, log, logHas, installation } = await startHost('docker', script);
    await expect(handOver('info: one')).rejects.toMatchObject({
      code: 'ATTEMPT_HANDED_OVER',
      fields: { host: installation },
    });
    // The host is full meanwhile: what runs already is counted, not waited for.
    const room = { cpus: 1, memory: 1, gpus: 0, shm: 0, pids: 0, disk: 0 };
    const other = await env.admission.acquire(room, { signal: never, onWait: () => undefined });
    const second = deliver({ delivery: 2 });
    await logHas('done');
    let free = false;
    const waiting = env.admission.acquire(room, { signal: never, onWait: () => (free = false) });
    void waiting.then(() => (free = true));
    other();
    expect(await second).toMatchObject({ table: { $artifact: 'dataset', size: 2 } });
    await waitFor(() => free, { what: 'the room that it gives back' });
    const lines = (await loggedLines(log)).map((line) => line.slice(4)).sort();
    expect(lines).toEqual(['begun', 'done', 'info: one', 'info: two']);
    await env.projector.flush();
    expect((await catalog.metrics('run-1')).map(({ value }) => value)).toEqual([1, 2]);
  });

  test('is lost where its container has begun and is gone, and started where it has not begun', async () => {
    const { deliver, catalog } = await startHost('docker', 'cp input.json out/table');
    await catalog.project({ attempts: [anAttempt({ attempt: 2, status: 'running' })] });
    await expect(deliver({ attempt: 2, delivery: 2 })).rejects.toMatchObject({
      code: 'ATTEMPT_LOST',
      place: { attempt: 2 },
    });
    expect(await deliver({ attempt: 3, delivery: 2 })).toMatchObject({ table: { size: 2 } });
  });

  test('has not begun where its worker stops while it waits for room', async () => {
    const { deliver, env, details, catalog } = await startHost('docker', 'cp input.json out/table');
    const room = { cpus: 1, memory: 1, gpus: 0, shm: 0, pids: 0, disk: 0 };
    const other = await env.admission.acquire(room, { signal: never, onWait: () => undefined });
    const leave = new AbortController();
    const first = deliver({ leave: leave.signal });
    first.catch(() => undefined);
    await waitFor(() => details.some((detail) => detail.includes('needs')), { what: 'the queue' });
    leave.abort();
    await expect(first).rejects.toMatchObject({ code: 'ATTEMPT_HANDED_OVER' });
    await env.projector.flush();
    expect(await catalog.attempts('run-1')).toEqual([]);
    other();
    expect(await deliver({ delivery: 2 })).toMatchObject({ table: { size: 2 } });
  });

  test('is preempted when somebody else stops it', async () => {
    const { deliver, logHas, installation, release } = await startHost('docker', 'echo begun; sleep 60');
    const first = deliver();
    first.catch(() => undefined);
    await logHas('begun');
    const [id = ''] = execFileSync('docker', ['ps', '-q', '--filter', `label=millrace.installation=${installation}`], { encoding: 'utf8' }).split('\n'); // prettier-ignore
    execFileSync('docker', ['kill', id]);
    await expect(first).rejects.toMatchObject({ code: 'ATTEMPT_PREEMPTED', fields: { exitCode: 137 } });
    const containers = () =>
      connectDocker().listContainers({
        all: true,
        filters: { label: [`millrace.installation=${installation}`] },
      });
    // Who takes the end once more, since it was not recorded, finds it.
    expect(await containers()).toHaveLength(1);
    await release();
    expect(await containers()).toEqual([]);
  });
});

describe('a step in a process that comes to a worker again', () => {
  test('is stopped where its worker stops, and lost: nothing of it is left', async () => {
    const { handOver, deliver, env, installation } = await startHost('process', 'echo begun; sleep 60');
    await expect(handOver('begun')).rejects.toMatchObject({ code: 'ATTEMPT_PREEMPTED' });
    expect(await stepProcesses(installation)).toEqual([]);
    await env.projector.flush();
    await expect(deliver({ delivery: 2 })).rejects.toMatchObject({ code: 'ATTEMPT_LOST' });
  });
});
