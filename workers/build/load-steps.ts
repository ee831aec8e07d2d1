import path from 'node:path';
import { DuplicateName } from '../../sdk/errors.js';
import type { StepDefinition } from '../../sdk/step.js';
import { isStep, STEP } from '../../sdk/step.js';
import { bundleWithEsbuild } from './bundle-with-esbuild.js';
import { loadCode } from '../../client/load-code.js';

export type LoadedStep = {
  readonly definition: StepDefinition;
  /** Absolute path of its steps file. */
  readonly file: string;
  /** Name it is exported under. */
  readonly exportName: string;
};

/** Imports the steps files in Node. @throws DuplicateName naming both files */
export async function loadSteps(
  files: readonly string[],
  projectDir: string,
): Promise<readonly LoadedStep[]> {
  if (files.length === 0) return [];
  const entry = files
    .map((file) => `exports[${JSON.stringify(file)}] = require(${JSON.stringify(file)});`)
    .join('\n');
  const what = 'The steps';
  const { code } = await bundleWithEsbuild({
    entry,
    projectDir,
    what,
    options: { packages: 'external', sourcemap: 'inline' },
  });
  const modules = loadCode<Record<string, Record<string, unknown>>>(code, { projectDir, what });
  const steps = new Map<string, LoadedStep>();
  for (const [file, exported] of Object.entries(modules)) {
    for (const [exportName, value] of Object.entries(exported)) {
      if (!isStep(value)) continue;
      const definition = value[STEP];
      const { name } = definition.spec;
      const other = steps.get(name);
      // A steps file may hand on a step of another one: that is the same step.
      if (other && other.definition !== definition) {
        const places = [other.file, file].map((each) => path.relative(projectDir, each));
        throw new DuplicateName(`Two steps are named \`${name}\`: in ${places[0]} and in ${places[1]}.`, {
          hint: 'Give one of them another name.',
        });
      }
      if (!other) steps.set(name, { definition, file, exportName });
    }
  }
  return [...steps.values()];
}
