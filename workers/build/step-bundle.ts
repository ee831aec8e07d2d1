import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Plugin } from 'esbuild';
import { BuildFailed } from '../../sdk/errors.js';
import { bundleWithEsbuild } from './bundle-with-esbuild.js';
import type { LoadedStep } from './load-steps.js';
import { ownFiles } from './own-files.js';
import { stepsFile } from './project-files.js';
import { markConstantsPure } from './pure-constants.js';

/**
 * A step's own code with all it imports, in one file: the worker loads its schemas from it, a container runs it. It holds
 * no other step, so its digest changes only with the step itself.
 */
export async function bundleStep(
  { definition, exports: [{ file, exportName }] }: LoadedStep,
  projectDir: string,
): Promise<string> {
  const entry = `
import { STEP_DEFINITION, main } from ${JSON.stringify(ownFiles.stepMain)};
import { ${exportName} as step } from ${JSON.stringify(file)};
export const definition = step[STEP_DEFINITION];
if (require.main === module) void main(definition);
`;
  const { code } = await bundleWithEsbuild({
    entry,
    projectDir,
    what: `Step \`${definition.spec.name}\``,
    plugins: [pureSteps, refuseNativeFiles(definition.spec.name)],
    options: { minifyWhitespace: true, minifySyntax: true },
  });
  return code;
}

const pureSteps: Plugin = {
  name: 'millrace-pure-steps',
  setup(build) {
    build.onLoad({ filter: stepsFile }, async ({ path: file }) => ({
      contents: await markConstantsPure(await readFile(file, 'utf8')),
      loader: 'ts',
      resolveDir: path.dirname(file),
    }));
  },
};

const refuseNativeFiles = (step: string): Plugin => ({
  name: 'millrace-native-files',
  setup(build) {
    build.onLoad({ filter: /\.node$/ }, ({ path: file }) => ({
      errors: [
        {
          text: 'native file',
          detail: new BuildFailed(
            `Step \`${step}\` imports ${path.basename(file)}, a native file that its bundle cannot hold.`,
            {
              hint: 'Make it a command step whose image has that package installed.',
            },
          ),
        },
      ],
    }));
  },
});
