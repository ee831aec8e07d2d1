import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import { readRequirements } from '../activities/executors/requirements.js';
import type { ArtifactRef } from '../sdk/artifact.js';
import { artifactKindOf } from '../sdk/artifact.js';
import { BuildFailed, InvalidInput } from '../sdk/errors.js';
import type { StepTask } from '../sdk/protocol/messages.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { DebugEnvironment } from './debug-environment.js';
import type { RecordedStep } from './recorded-step.js';

/** What a step is given otherwise than its run gave it. */
export type StepChanges = {
  /** Fields of its input. */
  readonly input?: Readonly<Record<string, unknown>>;
  /** Fields of its input that are artifacts, as files or folders of this machine: they are stored. */
  readonly files?: Readonly<Record<string, string>>;
  /** A folder in the place of its source. */
  readonly source?: string;
};

/**
 * The step with other input or source. Where the source asks for other packages its image is derived anew.
 * @throws InvalidInput for a field that it does not have, a folder that is not there, or a step without source; DependenciesFailed
 */
export async function changeStep(
  recorded: RecordedStep,
  { input = {}, files = {}, source }: StepChanges,
  { env, signal }: { readonly env: DebugEnvironment; readonly signal: AbortSignal },
): Promise<RecordedStep> {
  const task = await withInput(recorded.task, { input, files }, env);
  if (source === undefined) return { ...recorded, task };
  const { changed, note } = await withSource(task, path.resolve(source), { env, signal });
  return { ...recorded, task: changed, notes: [...recorded.notes, note] };
}

async function withInput(
  task: StepTask,
  { input, files }: Required<Pick<StepChanges, 'input' | 'files'>>,
  { placed, store }: DebugEnvironment,
): Promise<StepTask> {
  const asked = [...Object.keys(input), ...Object.keys(files)];
  if (asked.length === 0) return task;
  const shape = (await placed.definition(task.spec)).input.shape as Readonly<Record<string, z.ZodType>>;
  const unknown = asked.filter((field) => !Object.hasOwn(shape, field));
  if (unknown.length === 0) {
    const stored: Record<string, ArtifactRef> = {};
    for (const [field, file] of Object.entries(files))
      stored[field] = await storeFile({ field, file: path.resolve(file), schema: shape[field] }, store);
    const recorded = task.input as Readonly<Record<string, unknown>>;
    return { ...task, input: { ...recorded, ...input, ...stored } };
  }
  throw new InvalidInput(`Step \`${task.spec.name}\` has no input ${unknown.join(', ')}.`, {
    fields: { unknown, known: Object.keys(shape) },
    hint: `Its input: ${Object.keys(shape).join(', ') || 'nothing'}.`,
  });
}

async function storeFile(
  {
    field,
    file,
    schema,
  }: { readonly field: string; readonly file: string; readonly schema: z.ZodType | undefined },
  store: ArtifactStore,
): Promise<ArtifactRef> {
  const kind = schema && artifactKindOf(schema);
  if (!kind) {
    throw new InvalidInput(`\`${field}\` takes no single file.`, { hint: 'Give it as JSON.' });
  }
  if (!(await stat(file).catch(() => undefined)))
    throw new InvalidInput(`The file for \`${field}\` is not there: ${file}.`, { fields: { field, file } });
  return { $artifact: kind, ...(await store.put(file)), name: path.basename(file) };
}

async function withSource(
  task: StepTask,
  folder: string,
  { env, signal }: { readonly env: DebugEnvironment; readonly signal: AbortSignal },
): Promise<{ readonly changed: StepTask; readonly note: string }> {
  const { spec } = task;
  if (!spec.source) {
    throw new InvalidInput(`Step \`${spec.name}\` has no source folder.`, {
      hint: 'Leave `--source` out: its code is that of its pipeline.',
    });
  }
  if (!(await stat(folder).catch(() => undefined))?.isDirectory())
    throw new BuildFailed(`${folder} is no folder.`, { hint: 'Paths are relative to the current folder.' });
  const source = await env.store.put(folder, { signal });
  const changed = { ...task, spec: { ...spec, source } };
  const note =
    source.digest === spec.source.digest
      ? 'Its source is that of the run.'
      : 'Its source is another than that of the run.';
  if (task.executor !== 'docker' || !spec.image) return { changed, note };
  const before = await readRequirements(await env.placed.place('tree', spec.source));
  const placed = await env.placed.place('tree', source);
  if (before?.digest === (await readRequirements(placed))?.digest) return { changed, note };
  const context = spec.imageContext && (await env.placed.place('tree', spec.imageContext));
  const image = await env.docker.resolve({ image: spec.image, requirements: placed, context }, { signal });
  return {
    changed: { ...changed, image },
    note: `${note} It asks for other packages: its image is ${image.reference}.`,
  };
}
