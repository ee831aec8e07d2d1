import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { statePaths } from '../../../config/state-paths.js';
import type { ImageRequest } from '../../../activities/executors/executor.js';
import { placedContent } from '../../../activities/placed-content.js';
import { changeStep } from '../../../debug/change-step.js';
import type { DebugEnvironment } from '../../../debug/debug-environment.js';
import type { RecordedStep } from '../../../debug/recorded-step.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { executionOf } from '../../support/execution.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { aRun, aStep, digest } from '../store/records.js';

const ofRun = { reference: 'python:3.12-slim', id: digest('a') };
const derived = { reference: 'millrace/derived:1', id: digest('b') };
const { signal } = new AbortController();

async function setUp(files: Readonly<Record<string, string>>) {
  const folder = await temporaryFolder();
  const store = await openArtifactStore(`file:${folder}/artifacts`);
  const write = async (name: string, content: Readonly<Record<string, string>>) => {
    await mkdir(path.join(folder, name));
    for (const [file, text] of Object.entries(content)) await writeFile(path.join(folder, name, file), text);
    return path.join(folder, name);
  };
  const asked: ImageRequest[] = [];
  const env = {
    store,
    placed: placedContent(store, statePaths(folder)),
    docker: {
      resolve: (request: ImageRequest) => {
        asked.push(request);
        return Promise.resolve(derived);
      },
    },
  } as unknown as DebugEnvironment;
  const { spec } = executionOf({ name: 'train', image: ofRun.reference });
  const source = await store.put(await write('old', files));
  const recorded: RecordedStep = {
    run: aRun(),
    step: aStep(),
    attempt: 1,
    notes: [],
    task: {
      v: 1,
      run: 'run-1',
      path: 'train',
      pipeline: 'mortgage',
      build: 'build-1',
      spec: { ...spec, source },
      executor: 'docker',
      input: {},
      queue: 'millrace',
      image: ofRun,
    },
  };
  let made = 0;
  const withSource = async (
    next: Readonly<Record<string, string>>,
    task: Partial<RecordedStep['task']> = {},
  ) =>
    changeStep(
      { ...recorded, task: { ...recorded.task, ...task } },
      { source: await write(`next-${(made += 1)}`, next) },
      { env, signal },
    );
  return { recorded, withSource, asked, spec };
}

test('a source with other packages gets an image derived for them; other code runs in the image of the run', async () => {
  const { withSource, asked } = await setUp({ 'train.py': '1', 'requirements.txt': 'numpy==2.0\n' });
  const other = await withSource({ 'train.py': '2', 'requirements.txt': 'numpy==2.0\n' });
  expect(other.task.image).toEqual(ofRun);
  expect(other.notes).toEqual(['Its source is another than that of the run.']);
  expect(asked).toEqual([]);
  const more = await withSource({ 'train.py': '1', 'requirements.txt': 'numpy==2.1\n' });
  expect(more.task.image).toEqual(derived);
  expect(more.notes[0]).toContain('asks for other packages: its image is millrace/derived:1');
  expect(asked).toEqual([
    {
      image: { kind: 'reference', reference: ofRun.reference },
      requirements: expect.any(String),
      context: undefined,
    },
  ]);
  const process = await withSource({ 'train.py': '3' }, { executor: 'process' });
  expect(process.task.spec.source).not.toEqual(other.task.spec.source);
  expect(asked).toHaveLength(1);
});

test('the same source says so, and a step without one takes none', async () => {
  const { withSource, spec } = await setUp({ 'train.py': '1' });
  expect((await withSource({ 'train.py': '1' })).notes).toEqual(['Its source is that of the run.']);
  await expect(withSource({ 'train.py': '1' }, { spec })).rejects.toThrow('has no source folder');
});
