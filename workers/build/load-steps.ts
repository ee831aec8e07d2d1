import path from 'node:path';
import type { Metafile } from 'esbuild';
import { DuplicateName } from '../../sdk/errors.js';
import type { StepDefinition } from '../../sdk/step.js';
import { isStep, STEP } from '../../sdk/step.js';
import { bundleWithEsbuild, entryFile } from './bundle-with-esbuild.js';
import { loadCode } from '../../client/load-code.js';

/** Where a step is exported: absolute path of a steps file, and the name there. */
export type StepExport = { readonly file: string; readonly exportName: string };

export type LoadedStep = {
  readonly definition: StepDefinition;
  /** Of all steps files that hand it on, the first by path is the first here. */
  readonly exports: readonly [StepExport, ...StepExport[]];
};

export type LoadedSteps = {
  readonly steps: readonly LoadedStep[];
  /** Every file that the steps files import, themselves included: absolute, without packages. */
  readonly files: readonly string[];
};

/** Imports the steps files in Node. @throws DuplicateName naming both files */
export async function loadSteps(files: readonly string[], projectDir: string): Promise<LoadedSteps> {
  if (files.length === 0) return { steps: [], files: [] };
  const entry = files
    .map((file) => `exports[${JSON.stringify(file)}] = require(${JSON.stringify(file)});`)
    .join('\n');
  const what = 'The steps';
  const { code, metafile } = await bundleWithEsbuild({
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
      const exports = [...(other?.exports ?? []), { file, exportName }] as unknown as LoadedStep['exports'];
      // A steps file may hand on a step of another one, or export one twice: that is the same step.
      if (other && other.definition !== definition) {
        const places = [other.exports[0].file, file].map((each) => path.relative(projectDir, each));
        throw new DuplicateName(`Two steps are named \`${name}\`: in ${places[0]} and in ${places[1]}.`, {
          hint: 'Give one of them another name.',
        });
      }
      steps.set(name, { definition, exports });
    }
  }
  return { steps: [...steps.values()], files: ownInputs(metafile, projectDir) };
}

/** Files of a bundle that may change while a project is worked on. */
export const ownInputs = (metafile: Metafile, projectDir: string): readonly string[] =>
  Object.keys(metafile.inputs)
    .filter((file) => !file.includes('node_modules') && file !== entryFile)
    .map((file) => path.resolve(projectDir, file));
