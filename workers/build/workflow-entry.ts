import { isBuiltin } from 'node:module';
import path from 'node:path';
import type { Metafile, Plugin } from 'esbuild';
import { PipelineUsesNode } from '../../sdk/errors.js';
import { dryRunWorkflow } from '../../sdk/protocol/names.js';
import type { StepSpec } from '../../sdk/step-spec.js';
import { bundleWithEsbuild } from './bundle-with-esbuild.js';
import type { LoadedStep } from './load-steps.js';
import { ownFiles } from './own-files.js';
import { stepsFile } from './project-files.js';

export type ProxiedStep = Pick<LoadedStep, 'exports'> & { readonly spec: StepSpec };

export type EntryOptions = {
  readonly projectDir: string;
  readonly pipelines: readonly PipelineExport[];
  readonly steps: readonly ProxiedStep[];
};
export type PipelineExport = {
  readonly name: string;
  readonly file: string;
  readonly exportName: string;
  /** Steps that the pipelines of its file can call. */
  readonly stepNames: readonly string[];
};

/** The pipelines as Temporal's sandbox loads them: each behind a getter, so that a run evaluates only its own files. */
export async function bundleWorkflowEntry({ projectDir, pipelines, steps }: EntryOptions): Promise<string> {
  const entry = [
    `const { dryRun, pipelineWorkflow } = require(${JSON.stringify(ownFiles.workflows)});`,
    `exports[${JSON.stringify(dryRunWorkflow)}] = dryRun;`,
    ...pipelines.map(
      ({ name, file, exportName, stepNames }) =>
        `Object.defineProperty(exports, ${JSON.stringify(name)}, { enumerable: true, get: () => pipelineWorkflow(require(${relative(projectDir, file)})[${JSON.stringify(exportName)}], ${JSON.stringify(stepNames)}) });`,
    ),
  ].join('\n');
  const { code } = await bundleWithEsbuild({
    entry,
    projectDir,
    what: 'The workflows',
    plugins: [refuseNode(projectDir), proxySteps(steps)],
    options: {
      sourcemap: 'inline',
      minifyWhitespace: true,
      external: ['zod', '@temporalio/workflow'],
      define,
    },
  });
  return code;
}

/** The pipelines as a client loads them to check input: no Temporal in it, steps as proxies. */
export async function bundlePipelines(options: {
  readonly projectDir: string;
  readonly files: readonly string[];
  readonly steps: readonly ProxiedStep[];
}): Promise<{ readonly code: string; readonly metafile: Metafile }> {
  const { projectDir, files, steps } = options;
  const entry = files
    .map((file) => `exports[${relative(projectDir, file)}] = require(${relative(projectDir, file)});`)
    .join('\n');
  return bundleWithEsbuild({
    entry,
    projectDir,
    what: 'The pipelines',
    plugins: [refuseNode(projectDir), proxySteps(steps)],
    options: { minifyWhitespace: true, define },
  });
}

/** Names of the steps that a file's pipelines can call: those whose proxies are left once unused code is dropped. */
export async function stepsOfPipelines(options: {
  readonly projectDir: string;
  readonly file: string;
  readonly steps: readonly ProxiedStep[];
}): Promise<readonly string[]> {
  const { projectDir, file, steps } = options;
  const { code } = await bundleWithEsbuild({
    // All of it, a default export too: `export *` leaves that out, and unused files of a package without side effects.
    entry: `import * as pipelines from ${relative(projectDir, file)}; globalThis.pipelines = pipelines;`,
    projectDir,
    what: path.relative(projectDir, file),
    plugins: [refuseNode(projectDir), proxySteps(steps)],
    options: { minifyWhitespace: true, define },
  });
  return steps.map(({ spec }) => spec.name).filter((name) => code.includes(marker(name)));
}

/** Stands in a proxy's code, and nowhere else. */
const marker = (step: string): string => JSON.stringify(`millrace:proxy:${step}`);

/**
 * What code for the sandbox may ask of `process`, which is not there: packages such as immer look at it while they load. The
 * value is the one that Temporal's own bundler would put in.
 */
const define = { 'process.env.NODE_ENV': '"development"' };

/** Puts a proxy in the place of each step; nothing else of a steps file reaches the sandbox. */
const proxySteps = (steps: readonly ProxiedStep[]): Plugin => ({
  name: 'millrace-step-proxies',
  setup(build) {
    build.onLoad({ filter: stepsFile }, ({ path: file }) => ({
      contents: [
        `import { stepProxy } from ${JSON.stringify(ownFiles.stepProxy)};`,
        ...steps.flatMap(({ exports, spec }, index) => {
          const names = exports.filter((each) => each.file === file).map(({ exportName }) => exportName);
          if (names.length === 0) return [];
          const exported = names.map((name) => `proxy${index} as ${name}`).join(', ');
          return [
            `const proxy${index} = /* @__PURE__ */ stepProxy(${JSON.stringify(spec)}, ${marker(spec.name)});`,
            `export { ${exported} };`,
          ];
        }),
      ].join('\n'),
      loader: 'js',
      resolveDir: path.dirname(file),
    }));
  },
});

/** Node has no place in code that Temporal replays. Says which file imports what. */
const refuseNode = (projectDir: string): Plugin => ({
  name: 'millrace-refuse-node',
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ path: request, importer, kind }) => {
      if (kind === 'entry-point' || !isBuiltin(request)) return undefined;
      const file = path.relative(projectDir, importer);
      const detail = new PipelineUsesNode(
        `${file} imports \`${request}\`, which code that Temporal replays must not use.`,
        {
          fields: { file, module: request },
          hint: 'Do that work in a step, in a *.steps.ts file, and call the step.',
        },
      );
      return { errors: [{ text: detail.message, detail }] };
    });
  },
});

/** Relative, so that neither bundle nor build id depends on where the project lies. */
const relative = (projectDir: string, file: string): string =>
  JSON.stringify(`./${path.relative(projectDir, file)}`);
