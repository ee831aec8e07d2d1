import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ArtifactRef } from '../sdk/artifact.js';
import { mapArtifacts, walkArtifacts } from '../sdk/artifact.js';
import { contract, inputPath } from '../sdk/step-contract.js';
import type { ArtifactStore } from '../store/artifact-store.js';

export type InputsOptions = {
  readonly folder: string;
  readonly input: unknown;
  /** `link` behind a read-only mount only. */
  readonly mode: 'link' | 'copy';
  readonly store: ArtifactStore;
  readonly signal: AbortSignal;
};

/** Places each artifact of the input at in/<its keys>. */
export async function layOutInputs({ folder, input, mode, store, signal }: InputsOptions): Promise<void> {
  const found: { readonly ref: ArtifactRef; readonly target: string }[] = [];
  walkArtifacts(input, (ref, keys) => found.push({ ref, target: path.join(folder, inputPath(keys)) }));
  for (const { ref, target } of found) {
    await mkdir(path.dirname(target), { recursive: true });
    await store.place(ref, target, { mode, signal });
  }
}

/** Lays out the whole folder of docs/step-contract.md for a program. */
export async function layOutFolder(options: InputsOptions): Promise<void> {
  const { folder, input } = options;
  await mkdir(path.join(folder, contract.inputs), { recursive: true });
  await Promise.all(
    [contract.outputs, contract.checkpoint].map((name) =>
      mkdir(path.join(folder, name), { recursive: true }),
    ),
  );
  const seen = mapArtifacts(input, (ref, keys) => ({ ...ref, path: inputPath(keys) }));
  await Promise.all([
    writeFile(path.join(folder, contract.input), JSON.stringify(seen ?? {})),
    writeFile(path.join(folder, contract.events), ''),
    layOutInputs(options),
  ]);
}
