import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Plugin } from 'esbuild';
import type { Digest } from '../../sdk/artifact.js';
import { bundleWithEsbuild } from './bundle-with-esbuild.js';
import type { LoadedStep } from './load-steps.js';
import { stepsFile } from './project-files.js';
import { markConstantsPure } from './pure-constants.js';
import { withoutRunOptions } from './run-options.js';

/**
 * Digest of what a step does: its function, schemas and all they import, packages too. Neither comments and layout nor the
 * options that cannot change an answer are part of it, so a cached result outlives a change of its memory. Millrace's own
 * code is not in it: the content key has its version.
 */
export async function stepLogic(
  { definition, exports: [{ file, exportName }] }: LoadedStep,
  projectDir: string,
): Promise<Digest> {
  const { code } = await bundleWithEsbuild({
    entry: `export { ${exportName} as step } from ${JSON.stringify(file)};`,
    projectDir,
    what: `Step \`${definition.spec.name}\``,
    plugins: [onlyLogic],
    // Not the syntax: statements that stood beside something dropped would be joined otherwise.
    options: { minifyWhitespace: true, external: ['millrace'] },
  });
  return `sha256:${createHash('sha256').update(code).digest('hex')}`;
}

const onlyLogic: Plugin = {
  name: 'millrace-step-logic',
  setup(build) {
    build.onLoad({ filter: stepsFile }, async ({ path: file }) => ({
      contents: await markConstantsPure(await withoutRunOptions(await readFile(file, 'utf8'))),
      loader: 'ts',
      resolveDir: path.dirname(file),
    }));
    // A file of machine code is what its bytes are.
    build.onLoad({ filter: /\.node$/ }, async ({ path: file }) => ({
      contents: await readFile(file),
      loader: 'base64',
    }));
  },
};
