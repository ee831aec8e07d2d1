import { realpath, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import type { Bytes } from '../sdk/bytes.js';
import { bytes } from '../sdk/bytes.js';
import { InvalidInput, RepairRefused, UnknownStep } from '../sdk/errors.js';
import type { Repair, RepairAction } from '../sdk/protocol/messages.js';
import { updates } from '../sdk/protocol/names.js';
import type { StepSpec } from '../sdk/step-spec.js';
import type { RunRecord } from '../store/catalog.js';
import type { ClientParts } from './client-parts.js';
import { updateError } from './temporal-errors.js';
import type { RunView } from './views.js';

/** What to do with a parked step. Files and folders are uploaded first. */
export type RepairOptions = {
  /** Default: the user of this process. */
  readonly by?: string;
  /** Kept with the repair. */
  readonly reason?: string;
} & (
  | {
      readonly do: 'retry';
      /** Memory of the next attempts, instead of what the last one had. */
      readonly memory?: Bytes;
      /** Reference of another image. */
      readonly image?: string;
      /** Fields of the input to change. */
      readonly input?: Readonly<Record<string, unknown>>;
      /** Folder to take as source instead of the recorded one. */
      readonly source?: string;
    }
  | {
      readonly do: 'supply';
      /** Values of the output. */
      readonly output?: Readonly<Record<string, unknown>>;
      /** Files or folders, by field of the output. */
      readonly artifacts?: Readonly<Record<string, string>>;
    }
  | { readonly do: 'skip' }
  | { readonly do: 'abort' }
);

/**
 * Repairs a parked step of a run, or of a child run below it: `score/train#2`.
 * @throws UnknownStep, RepairRefused, ImageNotFound; InvalidInput for a file that is not there
 */
export async function repairStep(
  view: RunView,
  step: string,
  options: RepairOptions,
  parts: ClientParts,
): Promise<void> {
  const place = placeOf(view, step);
  const { by = userInfo().username, reason } = options;
  const action = await actionOf(place, options, parts);
  const repair: Repair = { ...action, path: place.path, by, ...(reason !== undefined && { reason }) };
  const { client } = await parts.temporal();
  try {
    await client.workflow.getHandle(place.run.id).executeUpdate(updates.repair, { args: [repair] });
  } catch (error) {
    const ended = new RepairRefused(`Step \`${step}\` cannot be repaired: the run has ended.`, {
      run: place.run.id,
      hint: 'Start a run that goes on from it: millrace recover.',
    });
    throw updateError(error, { run: place.run.id, ended });
  }
}

type Place = { readonly run: RunRecord; readonly path: string; readonly name: string };

function placeOf(view: RunView, step: string): Place {
  for (const each of view.steps) {
    if (each.path === step) return { run: view.run, path: each.path, name: each.name };
    if (each.child && step.startsWith(`${each.path}/`))
      return placeOf(each.child, step.slice(each.path.length + 1));
  }
  const known = view.steps.map((each) => each.path);
  throw new UnknownStep(`The run has no step \`${step}\`.`, {
    run: view.run.id,
    hint: known.length > 0 ? `It has: ${known.slice(0, 20).join(', ')}.` : 'It has none yet.',
    fields: { known },
  });
}

async function actionOf(place: Place, options: RepairOptions, parts: ClientParts): Promise<RepairAction> {
  if (options.do === 'skip' || options.do === 'abort') return { do: options.do };
  if (options.do === 'retry') {
    const { memory, image, input, source } = options;
    return {
      do: 'retry',
      ...(memory !== undefined && { memory: bytes(memory, 'memory') }),
      ...(image !== undefined && { image }),
      ...(input && { input }),
      ...(source !== undefined && { source: await uploadFolder(source, parts) }),
    };
  }
  const { output = {}, artifacts = {} } = options;
  const spec = await specOf(place, parts);
  const fields = Object.entries(artifacts).map(([name, file]) => {
    const field = spec.artifacts.find((each) => each.name === name);
    if (field) return { ...field, file };
    throw new RepairRefused(`Step \`${place.name}\` has no artifact \`${name}\` among its outputs.`, {
      run: place.run.id,
      step: place.path,
      hint: `It has: ${spec.artifacts.map((each) => each.name).join(', ') || 'none'}.`,
    });
  });
  const uploaded = await Promise.all(
    fields.map(async ({ name, kind, file }) => {
      const content = await upload(file, parts);
      return [name, { $artifact: kind, ...content, name: path.basename(file) }] as const;
    }),
  );
  return { do: 'supply', output: { ...output, ...Object.fromEntries(uploaded) } };
}

async function uploadFolder(folder: string, parts: ClientParts) {
  const found = await stat(folder).catch(() => undefined);
  if (found && !found.isDirectory())
    throw new InvalidInput(`${folder} is a file: a source is a folder.`, {
      hint: 'Name the folder that the step has as its `source`, as it is to be.',
    });
  return upload(folder, parts);
}

async function upload(file: string, { store }: ClientParts) {
  const real = await realpath(file).catch((cause: unknown) => {
    throw new InvalidInput(`There is no file or folder ${file}.`, { cause });
  });
  return store.put(real);
}

async function specOf({ run, name }: Place, { catalog }: ClientParts): Promise<StepSpec> {
  const build = await catalog.build(run.build);
  const spec = build?.steps.find((each) => each.name === name);
  if (spec) return spec;
  throw new UnknownStep(`The build of the run has no step \`${name}\`.`, { run: run.id });
}
