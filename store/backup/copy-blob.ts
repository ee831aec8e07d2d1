import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../../sdk/artifact.js';
import { ArtifactCorrupt } from '../../sdk/errors.js';
import type { ArtifactStore } from '../artifact-store.js';

export type CopyOptions = {
  readonly from: ArtifactStore;
  readonly to: ArtifactStore;
  /** A folder for what is under way. */
  readonly temporary: string;
  readonly signal?: AbortSignal | undefined;
};

export type Copied = 'copied' | 'there' | 'missing';

/** Copies one blob unless it is there; its bytes are checked when they are read and when they are written. @throws ArtifactCorrupt */
export async function copyBlob(digest: Digest, options: CopyOptions): Promise<Copied> {
  const { from, to, temporary, signal } = options;
  const blob = { digest, type: 'file' } as const;
  const abort = signal ? { signal } : {};
  if (await to.has(blob, abort)) return 'there';
  if (!(await from.has(blob, abort))) return 'missing';
  const path = join(temporary, `${process.pid}-${randomBytes(8).toString('hex')}`);
  try {
    await from.place(blob, path, { mode: 'link', ...abort });
    const stored = await to.put(path, abort);
    if (stored.digest === digest) return 'copied';
    throw new ArtifactCorrupt(`Artifact ${digest} changed while it was copied.`, {
      hint: `Check the disks of ${from.location} and ${to.location}, and try again.`,
      fields: { digest },
    });
  } finally {
    await rm(path, { force: true });
  }
}

const treeBeginning = '{"format":"millrace-tree/';

/** Digests of a tree's files when the blob is a tree's manifest, else nothing. */
export async function listedBy(
  digest: Digest,
  { to, signal }: Pick<CopyOptions, 'to' | 'signal'>,
): Promise<readonly Digest[]> {
  const abort = signal ? { signal } : {};
  const blob = await to.read(digest, abort);
  blob.on('error', () => undefined);
  for await (const chunk of blob) {
    const isTree = (chunk as Buffer).subarray(0, treeBeginning.length).toString() === treeBeginning;
    if (isTree) return (await to.entries(digest, abort)).map((entry) => entry.digest);
    break;
  }
  return [];
}
