import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import type { ArtifactStore } from '../../../store/artifact-store.js';
import type { Catalog } from '../../../store/catalog.js';
import type { StepSpec } from '../../../sdk/step-spec.js';
import type { ProjectBuild } from '../../../workers/build/build-project.js';
import { buildProject } from '../../../workers/build/build-project.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

/** Texts by path below the project's folder. */
export type Files = Readonly<Record<string, string>>;

/** @param below where in a new temporary folder the project lies; default at its top */
export async function writeProject(files: Files, below = '.'): Promise<string> {
  const folder = path.join(await temporaryFolder(), below);
  await writeFiles(folder, files);
  return folder;
}

export async function writeFiles(folder: string, files: Files): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

export type Builder = {
  readonly store: ArtifactStore;
  readonly catalog: Catalog;
  readonly build: (projectDir: string) => Promise<ProjectBuild>;
};

/** A store and a catalog of their own, and projects built into them. */
export async function openBuilder(): Promise<Builder> {
  const folder = await temporaryFolder();
  const store = await openArtifactStore(`file:${path.join(folder, 'artifacts')}`);
  const catalog = await openCatalog(`sqlite:${path.join(folder, 'catalog.db')}`);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  return { store, catalog, build: (projectDir) => buildProject({ projectDir, queue: 'q', store, catalog }) };
}

export function specOf({ record }: ProjectBuild, name: string): StepSpec {
  const spec = record.steps.find((each) => each.name === name);
  if (!spec) throw new Error(`no step ${name} in the build`);
  return spec;
}

/** A command with a source folder, and a function with a helper, constants, Node and a package. */
export const project: Files = {
  'credit.steps.ts': `
import { readFile } from 'node:fs/promises';
import Docker from 'dockerode';
import { step, dataset, model } from 'millrace';
import { z } from 'zod';
import { double } from './double.js';

const limit = 10;
export const train = step({
  name: 'train',
  source: './trainer',
  command: ['python3', 'train.py', '{in.table}', '{out.model}'],
  input: z.object({ table: dataset() }),
  output: z.object({ model: model(), auc: z.number() }),
});
export const shout = step(
  { name: 'shout', isolation: 'none', input: z.object({ count: z.number() }), output: z.object({ count: z.number() }) },
  async ({ count }) => {
    await new Docker().ping('only in the step');
    await readFile('/etc/hostname');
    return { count: Math.min(limit, double(count)) };
  },
);
`,
  'double.ts': 'export const double = (count: number): number => 2 * count;\n',
  'trainer/train.py': 'print("training")\n',
  'node_modules/dockerode/package.json': '{"name": "dockerode", "version": "1.0.0", "main": "index.js"}',
  'node_modules/dockerode/index.js':
    'const fs = require("fs");\nmodule.exports = class { async ping() { return "inside the package " + fs.sep; } };\n',
  'credit.pipeline.ts': `
import { pipeline, dataset } from 'millrace';
import { z } from 'zod';
import { shout, train } from './credit.steps.js';
export const credit = pipeline({ name: 'credit', input: z.object({ table: dataset() }) }, async ({ table }) => {
  const { auc } = await train({ table });
  return shout({ count: auc });
});
`,
};

/** The smallest project: files to add to or to break. */
export const small: Files = {
  'one.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
const none = z.object({});
export const one = step({ name: 'one', input: none, output: none }, () => ({}));
`,
  'one.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { one } from './one.steps.js';
export const first = pipeline({ name: 'first', input: z.object({}) }, () => one({}));
`,
};
