import { cp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { pino } from 'pino';
import { loadConfig } from '../../config/load-config.js';
import { buildAside } from '../../debug/replay/build-aside.js';
import type { HistoryReplay, RunHistory } from '../../debug/replay/replay-histories.js';
import { replayHistories } from '../../debug/replay/replay-histories.js';
import { openArtifactStore } from '../../store/open-artifact-store.js';
import { installTemporalRuntime } from '../../workers/temporal-logger.js';
import { temporaryFolder } from '../support/temporary-folder.js';

beforeAll(() => installTemporalRuntime(pino({ level: 'silent' })));

/** The recorded runs on their project with one thing changed. */
async function replayChanged(from: string, to: string): Promise<readonly HistoryReplay[]> {
  const folder = await temporaryFolder();
  const projectDir = path.join(folder, 'project');
  await cp(path.join(__dirname, 'project'), projectDir, { recursive: true });
  await writeFile(path.join(projectDir, 'package.json'), '{"name":"recorded"}');
  const file = path.join(projectDir, 'recorded.pipeline.ts');
  const code = await readFile(file, 'utf8');
  expect(code).toContain(from);
  await writeFile(file, code.replace(from, to));
  await using build = await buildAside(await loadConfig({ cwd: projectDir, env: {} }));
  const store = await openArtifactStore(`file:${folder}/artifacts`);
  const replays = [];
  for await (const replay of replayHistories(recorded(), { ...build, store })) replays.push(replay);
  return replays;
}

async function* recorded(): AsyncIterable<RunHistory> {
  for (const workflowId of ['recorded', 'recorded.inner']) {
    const name = workflowId === 'recorded' ? 'recorded' : 'inner';
    const text = await readFile(path.join(__dirname, 'histories', `${name}.json`), 'utf8');
    yield { workflowId, history: historyFromJSON(JSON.parse(text)) };
  }
}

const gateCall = "await gate('quality', { auc: atLeast(trained.auc, 0.5) }, { evidence: trained });";
const wait = 'At event 30 the history has a wait of 50 ms';
const release = "await approval('release'";
const promotes = 'return promote(candidate);';

test.each([
  ['await sleep(50);', '', 'fails', `${wait}; the code calls step \`fails\`.`],
  ['await sleep(50);', 'await new Promise(() => {});', undefined, `${wait}; the code makes no such call.`],
  [
    'const trained =',
    'await double({ n: 7 }); const trained =',
    'train',
    'At event 24 the history has step `train`; the code calls step `double#3`.',
  ],
  [
    'const trained =',
    "throw new Error('oops'); const trained =",
    'train',
    'At event 24 the history has step `train`; the code ends the run as failed: The pipeline threw Error: oops.',
  ],
  [
    gateCall,
    '',
    undefined,
    'At event 42 the history has the record of a gate; the code makes no such call, but `register`.',
  ],
  [
    '[n, n + 1]',
    '[n, n + 1, n + 2]',
    'inner',
    'At event 15 the history has pipeline `inner`; the code asks for something else, and waits for `double#3`.',
  ],
  [
    release,
    `return 3; ${release}`,
    undefined,
    'At event 56 the history has a wait of 1 h; the code ends the run as completed.',
  ],
  [
    promotes,
    `await sleep(5); ${promotes}`,
    'promote',
    'At event 65 the history has `promote`; the code waits a while first (a sleep, or before a retry).',
  ],
] as const)('%s → %s is told where and how', async (from, to, step, what) => {
  const [changed, child] = await replayChanged(from, to);
  expect(changed).toMatchObject({ run: 'recorded', events: 73, divergence: { what } });
  expect(changed?.divergence?.step).toBe(step);
  expect(changed?.divergence?.details).not.toMatch(/TMPRL|Failure \{/);
  expect(child).toEqual({ run: 'recorded.inner', events: 9, divergence: undefined });
});

test('a child run that parts is told by itself, and what its history cannot see passes', async () => {
  const replays = await replayChanged('(await add({ n })).n', '(await double({ n })).n');
  expect(replays.map(({ run, divergence }) => [run, divergence?.what])).toEqual([
    ['recorded', undefined],
    [
      'recorded.inner',
      'At event 6 the history has a call of the inline step `add`; the code makes no such call, but `double`.',
    ],
  ]);
  expect(replays[1]?.divergence).toMatchObject({
    step: 'add',
    event: { id: 6, type: 'MarkerRecorded', at: expect.stringMatching(/^20/) },
  });
});
