import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readRequirements } from '../../activities/executors/requirements.js';
import { inContainer } from '../../activities/plan-run.js';
import { removeTree } from '../../activities/remove-tree.js';
import type { StepSpec } from '../../sdk/step-spec.js';
import type { ArtifactStore } from '../../store/artifact-store.js';
import type { BuildRecord, Catalog, RunRecord } from '../../store/catalog.js';

export type FixedImagesOptions = {
  readonly catalog: Catalog;
  readonly store: ArtifactStore;
  /** The build that the run would go on with, and the store that has its content. */
  readonly next: { readonly record: BuildRecord; readonly store: ArtifactStore };
};

/**
 * Why a run cannot go on with a build though its history fits: its images were resolved at its start and are fixed, and steps of
 * that build need others.
 * @returns one sentence, or undefined
 */
export async function fixedImages(
  { pipeline, plan, build }: Pick<RunRecord, 'pipeline' | 'plan' | 'build'>,
  { catalog, store, next }: FixedImagesOptions,
): Promise<string | undefined> {
  if (!plan) return 'Its images are being resolved just now.';
  if (plan.executor !== 'docker') return undefined;
  const before = new Map((await catalog.build(build))?.steps.map((spec) => [spec.name, spec]));
  const names = next.record.pipelines.find(({ name }) => name === pipeline)?.steps ?? [];
  for (const spec of next.record.steps) {
    if (!names.includes(spec.name) || !inContainer(spec)) continue;
    if (!plan.images[spec.name])
      return `Step \`${spec.name}\` runs in an image, and the run has none for it: images are resolved when a run starts.`;
    const old = before.get(spec.name);
    if (!old || !(await haveSameImage({ spec: old, store }, { spec, store: next.store })))
      return `Step \`${spec.name}\` needs another image now, and those of a run are fixed when it starts.`;
  }
  return undefined;
}

type Held = { readonly spec: StepSpec; readonly store: ArtifactStore };

/** As it is written, what it is built from, and the packages that are put into it. */
async function haveSameImage(a: Held, b: Held): Promise<boolean> {
  const written = ({ spec: { image, imageContext } }: Held) => JSON.stringify([image, imageContext?.digest]);
  if (written(a) !== written(b)) return false;
  if (a.spec.source?.digest === b.spec.source?.digest) return true;
  return (await requirementsOf(a)) === (await requirementsOf(b));
}

async function requirementsOf({ spec: { source }, store }: Held): Promise<string | undefined> {
  if (!source) return undefined;
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-source-'));
  try {
    const tree = path.join(folder, 'source');
    await store.place(source, tree, { mode: 'copy' });
    return (await readRequirements(tree))?.digest;
  } finally {
    await removeTree(folder);
  }
}
