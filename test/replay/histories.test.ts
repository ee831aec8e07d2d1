import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { Client, Connection } from '@temporalio/client';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { pino } from 'pino';
import type { RunHandle } from '../../client/index.js';
import { openArtifactStore } from '../../store/open-artifact-store.js';
import { openCatalog } from '../../store/open-catalog.js';
import { buildProject } from '../../workers/build/build-project.js';
import { installTemporalRuntime } from '../../workers/temporal-logger.js';
import { releaseAtEnd } from '../support/release-at-end.js';
import { startCli } from '../support/run-cli.js';
import type { TestMillrace } from '../support/start-millrace.js';
import { startMillrace } from '../support/start-millrace.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitFor } from '../support/wait-for.js';

const project = path.join(__dirname, 'project');
const checkout = path.resolve(__dirname, '../..');
const histories = path.join(__dirname, 'histories');
/** What is recorded, by the names of the files. */
const recordings = [
  'adopted',
  'inner',
  'leaving',
  'lost',
  'mended',
  'recorded',
  'recovering',
  'recovering-inner',
  'redone',
] as const;
type History = (typeof recordings)[number];
const recording = process.env['MILLRACE_RECORD_HISTORIES'] === '1';

/**
 * Open runs are replayed by the code they began with, but what the workflow side makes of a history must not change unseen
 * either. Record anew after a wanted change: MILLRACE_RECORD_HISTORIES=1 npx jest test/replay/histories
 */
const replays = () => {
  test('replay on the code of today', async () => {
    const folder = await temporaryFolder();
    const store = await openArtifactStore(`file:${folder}/artifacts`);
    await using catalog = await openCatalog(`sqlite:${folder}/catalog.db`);
    const { record } = await buildProject({ projectDir: project, queue: 'replay', store, catalog });
    const workflowBundle = { code: await text(await store.read(record.workflowBundle)) };
    const names = (await readdir(histories)).filter((name) => name.endsWith('.json'));
    expect(new Set(names)).toEqual(new Set(recordings.map((name) => `${name}.json`)));
    for (const name of names) {
      const history = historyFromJSON(JSON.parse(await readFile(path.join(histories, name), 'utf8')));
      await Worker.runReplayHistory({ workflowBundle }, history, path.parse(name).name);
    }
  });

  test('a history that another pipeline made does not: the replay above can fail', async () => {
    const folder = await temporaryFolder();
    await cp(project, path.join(folder, 'project'), { recursive: true });
    const file = path.join(folder, 'project/recorded.pipeline.ts');
    await writeFile(file, (await readFile(file, 'utf8')).replace('await sleep(50);', ''));
    const store = await openArtifactStore(`file:${folder}/artifacts`);
    await using catalog = await openCatalog(`sqlite:${folder}/catalog.db`);
    const { record } = await buildProject({
      projectDir: path.join(folder, 'project'),
      queue: 'replay',
      store,
      catalog,
    });
    const workflowBundle = { code: await text(await store.read(record.workflowBundle)) };
    const history = historyFromJSON(
      JSON.parse(await readFile(path.join(histories, 'recorded.json'), 'utf8')),
    );
    await expect(Worker.runReplayHistory({ workflowBundle }, history, 'recorded')).rejects.toThrow(
      /[Nn]ondeterminis/,
    );
  });
};

const records = () => {
  let files: Readonly<Record<string, string>>;
  beforeAll(async () => {
    const names = await readdir(project);
    files = Object.fromEntries(
      await Promise.all(
        names.map(async (name) => [name, await readFile(path.join(project, name), 'utf8')] as const),
      ),
    );
    await mkdir(histories, { recursive: true });
  });
  const start = (executor = 'process') => startMillrace({ files, env: { MILLRACE_EXECUTOR: executor } });

  /** @param runs ids by the name of the file */
  async function write(
    { temporal, project: folder }: TestMillrace,
    runs: { readonly [Name in History]?: string },
  ) {
    const connection = await Connection.connect({ address: temporal.address });
    for (const [name, id] of Object.entries(runs)) {
      const history = await new Client({ connection }).workflow.getHandle(id).fetchHistory();
      await writeFile(path.join(histories, `${name}.json`), portable(historyToJSON(history), folder));
    }
    await connection.close();
  }
  const approved = async (run: RunHandle, gate: string) => {
    const isOpen = async () =>
      (await run.view()).approvals.some((each) => each.gate === gate && each.status === 'open');
    await waitFor(isOpen, { what: `${gate} to be open` });
    await run.decide(gate, { decision: 'approved', by: 'ada' });
  };
  const parked = (run: RunHandle, step: string) =>
    waitFor(async () => (await run.view()).steps.find(({ path: at }) => at === step)?.status === 'parked', {
      what: `${step} to be parked`,
    });

  test('writes the histories of a run and its child', async () => {
    const millrace = await start();
    const { client } = millrace;
    const run = await client.start('recorded', { n: 1 }, { runId: 'recorded' });
    await approved(run, 'release');
    expect(await run.result()).toMatchObject({ alias: 'champion' });
    await write(millrace, { recorded: run.id, inner: `${run.id}.inner` });
  });

  test('writes those of a run that was tried again, repaired in each way and out of time', async () => {
    const millrace = await start();
    const { client } = millrace;
    const run = await client.start('mended', { n: 1 }, { runId: 'mended' });
    await parked(run, 'mendable');
    await run.repair('mendable', { do: 'retry', input: { good: true }, by: 'ada' });
    await parked(run, 'hopeless');
    await run.repair('hopeless', { do: 'supply', output: { n: 7 }, by: 'ada' });
    await waitFor(async () => JSON.stringify((await run.view()).steps.at(-1)).includes('"parked"'));
    await run.repair('leaving/optional', { do: 'skip', by: 'ada' });
    expect(await run.result()).toBe(8);
    await write(millrace, { mended: run.id, leaving: `${run.id}.leaving` });
  });

  test.each([
    ['lost', 'long', 'process', ['retry']],
    ['adopted', 'boxed', 'docker', ['take-up']],
  ] as const)('writes that of a run whose worker was killed: %s', async (name, step, executor, follows) => {
    const millrace = await start(executor);
    const { client, config, host, project: cwd, temporal } = millrace;
    await host.stop();
    const { address } = temporal;
    const env = { TEMPORAL_ADDRESS: address, MILLRACE_EXECUTOR: executor, MILLRACE_QUEUE: config.queue };
    const startWorker = async () => {
      const worker = await startCli(['worker', '--cwd', cwd], { env });
      releaseAtEnd(() => worker[Symbol.asyncDispose]());
      return worker;
    };
    const first = await startWorker();
    const run = await client.start(name, { n: 1 }, { runId: name });
    const connection = await Connection.connect({ address });
    const handle = new Client({ connection }).workflow.getHandle(run.id);
    // By what it says of itself the run knows its host.
    const isHeard = async () =>
      (await handle.describe()).raw.pendingActivities?.some(
        ({ activityType, heartbeatDetails }) =>
          activityType?.name === step && JSON.stringify(heartbeatDetails).includes(running),
      );
    await waitFor(isHeard, { what: 'the step to be heard of', timeoutMs: 90_000 });
    await connection.close();
    first.kill('SIGKILL');
    await first.ended;
    await startWorker();
    expect(await run.result()).toEqual({ n: 3 });
    const why = await run.why(step);
    expect(why.map(({ kind }) => kind)).toEqual(expect.arrayContaining([...follows]));
    await write(millrace, { [name]: run.id });
  });

  test('writes those of a run that recovers another, and of its child', async () => {
    const millrace = await start();
    const { client } = millrace;
    const former = await client.start('redone', { n: 1 }, { runId: 'redone' });
    await waitFor(async () => (await former.view()).approvals.some(({ status }) => status === 'open'));
    await former.cancel();
    await expect(former.result()).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
    const { run } = await client.recover(former.id);
    if (!run) throw new Error('only a plan was made');
    await approved(run, 'go');
    expect(await run.result()).toEqual({ auc: 0.8, total: 2 });
    await write(millrace, { redone: former.id, recovering: run.id, 'recovering-inner': `${run.id}.inner` });
  });
};

/** Without the names and paths of the machine that recorded it. */
const portable = (json: string, folder: string): string =>
  JSON.stringify(
    JSON.parse(json),
    (key, value: unknown) => {
      if (typeof value !== 'string') return value;
      if (key === 'stackTrace') return '';
      // Also the name of a queue of its own.
      if (/^\d+@/.test(value)) return 'worker';
      if (key !== 'data') return value;
      const text = Buffer.from(value, 'base64').toString();
      const away = text.replaceAll(folder, '/project').replaceAll(checkout, '/millrace');
      return away === text ? value : toBase64(away);
    },
    1,
  );

const toBase64 = (text: string): string => Buffer.from(text).toString('base64');
/** Begin of what a step's heartbeat says when it runs, as the service has it. */
const running = toBase64('{"status":"running').slice(0, -2);

beforeAll(() => installTemporalRuntime(pino({ level: 'silent' })));

describe('recorded histories', () => {
  if (recording) records();
  else replays();
});
