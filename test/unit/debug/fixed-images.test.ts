import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fixedImages } from '../../../debug/replay/fixed-images.js';
import type { StepSpec } from '../../../sdk/step-spec.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { executionOf } from '../../support/execution.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { aBuild, aRun, digest } from '../store/records.js';

const image = { reference: 'python:3.12-slim', id: digest('a') };

/** A run of a step whose source has these files, and what is said of it when the next build has others. */
async function setUp(files: Readonly<Record<string, string>>) {
  const folder = await temporaryFolder();
  const [store, aside] = await Promise.all(
    ['mine', 'aside'].map((name) => openArtifactStore(`file:${folder}/${name}`)),
  );
  const catalog = await openCatalog(`sqlite:${folder}/catalog.db`);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  const put = async (into: typeof store, name: string, content: Readonly<Record<string, string>>) => {
    const source = path.join(folder, name);
    await mkdir(source);
    for (const [file, text] of Object.entries(content)) await writeFile(path.join(source, file), text);
    return into!.put(source);
  };
  const spec = (fields: Partial<StepSpec>): StepSpec => ({
    ...executionOf({ name: 'train', image: image.reference }).spec,
    ...fields,
  });
  await catalog.publishBuild(aBuild({ steps: [spec({ source: await put(store, 'old', files) })] }));
  const run = aRun({ plan: { executor: 'docker', images: { train: image } } });
  let made = 0;
  return {
    run,
    ask: async (
      next: Readonly<Record<string, string>>,
      {
        fields = {},
        of = run,
        steps = ['train'],
      }: { fields?: Partial<StepSpec>; of?: typeof run; steps?: string[] } = {},
    ) => {
      const source = await put(aside, `next-${(made += 1)}`, next);
      const record = aBuild({
        id: 'next',
        pipelines: [{ name: 'mortgage', steps }],
        steps: [spec({ source, ...fields })],
      });
      return fixedImages(of, { catalog, store: store!, next: { record, store: aside! } });
    },
  };
}

const lock = { 'train.py': 'print(1)', 'requirements.txt': '-r base.txt\n', 'base.txt': 'numpy==2.0\n' };

test('other code in the same image is no hindrance, other packages are, also those of a file that the lock refers to', async () => {
  const { ask } = await setUp(lock);
  expect(await ask({ ...lock, 'train.py': 'print(2)' })).toBeUndefined();
  expect(await ask({ ...lock, 'base.txt': 'numpy==2.1\n' })).toMatch(/^Step `train` needs another image now/);
  expect(await ask({ 'train.py': 'print(1)' })).toMatch(/^Step `train` needs another image now/);
});

test('another image, or a step that the run has none for, is a hindrance; one that the pipeline cannot call is not', async () => {
  const { ask } = await setUp(lock);
  const fields = { image: { kind: 'reference', reference: 'python:3.13' } } as const;
  expect(await ask(lock, { fields })).toMatch(/another image/);
  expect(await ask(lock, { fields: { name: 'fresh' }, steps: ['fresh'] })).toMatch(
    /^Step `fresh` runs in an image, and the run has none/,
  );
  expect(await ask(lock, { fields, steps: [] })).toBeUndefined();
  expect(await ask(lock, { fields: { ...fields, isolation: 'process' } })).toBeUndefined();
});

test('where steps run as processes no image is fixed; before the plan is made nothing is known', async () => {
  const { ask, run } = await setUp(lock);
  const of = { ...run, plan: { executor: 'process', images: {} } } as const;
  expect(await ask({ 'train.py': '' }, { of })).toBeUndefined();
  const { plan: _plan, ...unplanned } = run;
  expect(await ask(lock, { of: unplanned })).toMatch(/being resolved/);
});
