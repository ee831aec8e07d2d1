import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { Client, Connection } from '@temporalio/client';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { pino } from 'pino';
import { openArtifactStore } from '../../store/open-artifact-store.js';
import { openCatalog } from '../../store/open-catalog.js';
import { buildProject } from '../../workers/build/build-project.js';
import { installTemporalRuntime } from '../../workers/temporal-logger.js';
import { startMillrace } from '../support/start-millrace.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { waitFor } from '../support/wait-for.js';

const project = path.join(__dirname, 'project');
const histories = path.join(__dirname, 'histories');
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
    expect(names).toEqual(['inner.json', 'recorded.json']);
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
  test('writes the histories of a run and its child', async () => {
    const files = Object.fromEntries(
      await Promise.all(
        (await readdir(project)).map(
          async (name) => [name, await readFile(path.join(project, name), 'utf8')] as const,
        ),
      ),
    );
    const { client, temporal } = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process' } });
    const run = await client.start('recorded', { n: 1 }, { runId: 'recorded' });
    await waitFor(async () =>
      (await run.view()).approvals.some(({ gate, status }) => gate === 'release' && status === 'open'),
    );
    await run.decide('release', { decision: 'approved', by: 'ada' });
    await run.result();
    await mkdir(histories, { recursive: true });
    const connection = await Connection.connect({ address: temporal.address });
    for (const [name, id] of [
      ['recorded', run.id],
      ['inner', `${run.id}.inner`],
    ] as const) {
      const history = await new Client({ connection }).workflow.getHandle(id).fetchHistory();
      await writeFile(path.join(histories, `${name}.json`), portable(historyToJSON(history)));
    }
    await connection.close();
  });
};

/** Without the names and paths of the machine that recorded it. */
const portable = (json: string): string =>
  JSON.stringify(
    JSON.parse(json),
    (key, value: unknown) => (key === 'stackTrace' ? '' : key === 'identity' ? 'worker' : value),
    1,
  );

beforeAll(() => installTemporalRuntime(pino({ level: 'silent' })));

describe('recorded histories', () => {
  if (recording) records();
  else replays();
});
