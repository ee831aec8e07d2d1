import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Metafile } from 'esbuild';
import { BuildFailed, DuplicateName, StepOutsideStepsFile } from '../../sdk/errors.js';
import type { CacheDefault } from '../../sdk/cache-spec.js';
import { resolvedCache } from '../../sdk/cache-spec.js';
import type { PipelineDefinition } from '../../sdk/pipeline.js';
import { isPipeline, PIPELINE } from '../../sdk/pipeline.js';
import type { StepSpec } from '../../sdk/step-spec.js';
import { collectSteps } from '../../sdk/collect-steps.js';
import type { ArtifactStore, StoredArtifact } from '../../store/artifact-store.js';
import type { BuildRecord, Catalog } from '../../store/catalog.js';
import { loadCode } from '../../client/load-code.js';
import type { LoadedStep } from './load-steps.js';
import { loadSteps, ownInputs } from './load-steps.js';
import { checkSandboxLoad } from './check-sandbox-load.js';
import { findProjectFiles, stepsFile } from './project-files.js';
import { bundleStep } from './step-bundle.js';
import { stepLogic } from './step-logic.js';
import { bundleWorkflows } from './workflow-bundle.js';
import type { PipelineExport, ProxiedStep } from './workflow-entry.js';
import { bundlePipelines, bundleWorkflowEntry, stepsOfPipelines } from './workflow-entry.js';

export type BuildOptions = {
  readonly projectDir: string;
  readonly queue: string;
  readonly store: ArtifactStore;
  readonly catalog: Catalog;
  /** How steps that say nothing of their cache are cached. Default: not. */
  readonly cache?: CacheDefault;
  /** Whether new runs start on it from now on. Default true; else only its content is stored. */
  readonly publish?: boolean;
};

/** A build, with the files that a change of which makes it stale. */
export type ProjectBuild = { readonly record: BuildRecord; readonly watched: readonly string[] };

/**
 * Loads a project and stores all that its runs need, by content: the workflow bundle, the pipelines' schemas, each step's
 * code and source. A project that did not change is the build it was.
 * @throws BuildFailed, DefinitionInvalid, DuplicateName, StepOutsideStepsFile, PipelineUsesNode
 */
export async function buildProject({
  projectDir,
  queue,
  store,
  catalog,
  cache = { default: false, ttlMs: undefined },
  publish = true,
}: BuildOptions): Promise<ProjectBuild> {
  const files = await findProjectFiles(projectDir);
  if (files.pipelines.length === 0) {
    throw new BuildFailed(`No *.pipeline.ts file is below ${projectDir}.`, {
      hint: 'Write one, or start in the folder that has them (--cwd).',
    });
  }
  const loaded = await loadSteps(files.steps, projectDir);
  const steps = await Promise.all(
    loaded.steps.map((step) => resolveStep(step, { projectDir, store, cache })),
  );
  const { code: pipelinesCode, metafile } = await bundlePipelines({
    projectDir,
    files: files.pipelines,
    steps,
  });
  checkSandboxLoad(pipelinesCode);
  const found = await findPipelines(pipelinesCode, projectDir, metafile);
  const callable = new Map(
    await Promise.all(
      files.pipelines.map(
        async (file) => [file, await stepsOfPipelines({ projectDir, file, steps })] as const,
      ),
    ),
  );
  const pipelines = found.map((each) => ({ ...each, stepNames: callable.get(each.file) ?? [] }));
  const entry = await bundleWorkflowEntry({ projectDir, pipelines, steps });
  const id = buildId(pipelinesCode, entry.replace(/\n\/\/# sourceMappingURL=.*/s, ''));
  const known = await catalog.build(id);
  const stored =
    known &&
    // Not only looked for: garbage collection must not take them before the build is published.
    (await store.touch(known.workflowBundle)) &&
    (await store.touch(known.nodeBundle));
  const record: BuildRecord = {
    id,
    queue,
    createdAt: new Date().toISOString(),
    workflowBundle: stored
      ? known.workflowBundle
      : (await store.putBytes(await bundleWorkflows(entry, projectDir))).digest,
    nodeBundle: stored ? known.nodeBundle : (await store.putBytes(pipelinesCode)).digest,
    pipelines: pipelines.map(({ name, stepNames, definition }) => ({
      name,
      ...(definition.description !== undefined && { description: definition.description }),
      steps: stepNames,
    })),
    steps: steps.map(({ spec }) => spec),
  };
  if (publish) await catalog.publishBuild(record);
  return {
    record,
    watched: [
      ...new Set([...ownInputs(metafile, projectDir), ...loaded.files, ...stepFolders(loaded.steps)]),
    ],
  };
}

async function resolveStep(
  step: LoadedStep,
  {
    projectDir,
    store,
    cache: byDefault,
  }: Pick<BuildOptions, 'projectDir' | 'store'> & { readonly cache: CacheDefault },
): Promise<ProxiedStep> {
  const { spec } = step.definition;
  const cache = resolvedCache(spec.cache, spec, byDefault);
  const folder = path.dirname(step.exports[0].file);
  const context = spec.image?.kind === 'build' ? spec.image.context : undefined;
  const [code, logic, source, imageContext] = await Promise.all([
    bundleStep(step, projectDir).then((text) => store.putBytes(text)),
    stepLogic(step, projectDir),
    putFolder(store, folder, spec.source, spec.name),
    putFolder(store, folder, context, spec.name),
  ]);
  return {
    exports: step.exports,
    spec: { ...spec, code, source, imageContext, cache, logic } satisfies StepSpec,
  };
}

async function putFolder(
  store: ArtifactStore,
  base: string,
  folder: string | undefined,
  step: string,
): Promise<StoredArtifact | undefined> {
  if (folder === undefined) return undefined;
  const full = path.resolve(base, folder);
  const found = await stat(full).catch(() => undefined);
  if (found?.isDirectory()) return store.put(full);
  throw new BuildFailed(
    `The folder ${folder} of step \`${step}\` is ${found ? 'no folder' : 'not there'} (looked for from ${base}).`,
    { hint: 'Folders of a step are relative to its steps file.' },
  );
}

type FoundPipeline = Omit<PipelineExport, 'stepNames'> & { readonly definition: PipelineDefinition };

async function findPipelines(
  code: string,
  projectDir: string,
  metafile: Metafile,
): Promise<readonly FoundPipeline[]> {
  const what = 'The pipelines';
  const { loaded, steps } = await collectSteps(() =>
    loadCode<Record<string, Record<string, unknown>>>(code, { projectDir, what }),
  );
  const stray = steps[0];
  if (stray) {
    throw new StepOutsideStepsFile(
      `Step \`${stray.spec.name}\` is declared in a file that pipelines import and that is no *.steps.ts file (${await filesThatCallStep(metafile, projectDir)}).`,
      {
        hint: 'Move it to a file named *.steps.ts: only there its code is kept out of what Temporal replays.',
      },
    );
  }
  const found = new Map<string, FoundPipeline>();
  for (const [relative, exported] of Object.entries(loaded)) {
    const file = path.resolve(projectDir, relative);
    if (!Object.values(exported).some(isPipeline)) {
      throw new BuildFailed(`${relative} exports no pipeline.`, {
        hint: 'Export one, or name the file otherwise.',
      });
    }
    for (const [exportName, value] of Object.entries(exported)) {
      if (!isPipeline(value)) continue;
      const definition = value[PIPELINE];
      const other = found.get(definition.name);
      if (other && other.definition !== definition) {
        const places = [other.file, file].map((each) => path.relative(projectDir, each));
        throw new DuplicateName(
          `Two pipelines are named \`${definition.name}\`: in ${places[0]} and in ${places[1]}.`,
          { hint: 'Give one of them another name.' },
        );
      }
      if (!other) found.set(definition.name, { name: definition.name, file, exportName, definition });
    }
  }
  return [...found.values()];
}

async function filesThatCallStep(metafile: Metafile, projectDir: string): Promise<string> {
  const own = Object.keys(metafile.inputs).filter(
    (file) => !file.startsWith('..') && !file.includes('node_modules') && !stepsFile.test(file),
  );
  const texts = await Promise.all(
    own.map((file) => readFile(path.join(projectDir, file), 'utf8').catch(() => '')),
  );
  return own.filter((_, index) => /\bstep\s*\(/.test(texts[index] ?? '')).join(', ');
}

function buildId(...parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
}

const stepFolders = (steps: readonly LoadedStep[]): readonly string[] =>
  steps.flatMap(({ definition: { spec }, exports: [{ file }] }) =>
    [spec.source, spec.image?.kind === 'build' ? spec.image.context : undefined].flatMap((folder) =>
      folder === undefined ? [] : [path.resolve(path.dirname(file), folder)],
    ),
  );
