import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Digest } from '../sdk/artifact.js';
import { ArtifactCorrupt, isMillraceError } from '../sdk/errors.js';
import type { ArtifactStore } from './artifact-store.js';
import { eachLimited } from './each-limited.js';
import { looksLikeManifest } from './tree-manifest.js';

export type CopyOptions = {
  readonly from: ArtifactStore;
  readonly to: ArtifactStore;
  /** Reads everything back from `to` at the end, also what was there before. Default false: sizes are compared. */
  readonly verify?: boolean;
  /** Blobs that are copied at once. Default 8. */
  readonly atOnce?: number;
  /** Folder with room for `atOnce` large blobs, where they lie on their way. Default: the system's for temporary files. */
  readonly scratch?: string;
  readonly onProgress?: (progress: CopyProgress) => void;
  readonly signal?: AbortSignal;
};

export type CopyProgress = {
  readonly stage: 'looking' | 'copying' | 'verifying';
  readonly blobs: number;
  readonly bytes: number;
  /** Of the stage; 0 while it is not known. */
  readonly ofBlobs: number;
  readonly ofBytes: number;
};

type Count = { readonly blobs: number; readonly bytes: number };
export type CopyReport = {
  readonly copied: Count;
  /** Of `from`, there already. */
  readonly present: Count;
  readonly verified: Count;
  /** What could not be copied or read back; everything else is done. */
  readonly bad: readonly { readonly digest: Digest; readonly code: string; readonly message: string }[];
};

type Blob = { readonly digest: Digest; readonly size: number };

/** What is larger goes through a file. */
const inMemory = 4 * 2 ** 20;
const badCodes: ReadonlySet<string> = new Set(['ARTIFACT_MISSING', 'ARTIFACT_CORRUPT']);

/**
 * Copies everything that `from` holds and `to` does not. Each blob is checked when it is read and again by the digest it gets
 * where it goes. It may die and be started again: what arrived is whole, and only what is missing is copied. Manifests come
 * last, so that a tree that is there has its files.
 */
export async function copyStore(options: CopyOptions): Promise<CopyReport> {
  const { from, to, verify = false, atOnce = 8, onProgress = () => undefined, signal } = options;
  const stop = signal ? { signal } : {};
  const bad: CopyReport['bad'][number][] = [];
  const there = new Map<Digest, number>();
  for await (const { digest, size } of to.blobs(stop)) there.set(digest, size);
  const missing: Blob[] = [];
  const present = counter();
  for await (const { digest, size } of from.blobs(stop)) {
    if (there.get(digest) === size) present.add(size);
    else missing.push({ digest, size });
    onProgress({ stage: 'looking', ...present.value(), ofBlobs: 0, ofBytes: 0 });
  }

  const copied = counter();
  const total = sum(missing);
  const manifests: Blob[] = [];
  const scratch = await mkdtemp(join(options.scratch ?? tmpdir(), 'millrace-copy-'));
  const copyAll = (blobs: readonly Blob[], last: boolean) =>
    eachLimited(
      blobs,
      async (blob) => {
        const done = await noting(bad, blob.digest, () =>
          copyBlob(blob, { from, to, scratch, last, ...stop }),
        );
        if (done === 'manifest') manifests.push(blob);
        if (done !== 'copied') return;
        copied.add(blob.size);
        onProgress({ stage: 'copying', ...copied.value(), ofBlobs: total.blobs, ofBytes: total.bytes });
      },
      { limit: atOnce, signal },
    );
  try {
    await copyAll(missing, false);
    await copyAll(manifests, true);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }

  const verified = counter();
  if (verify) {
    const failed = new Set(bad.map(({ digest }) => digest));
    const all: Blob[] = [];
    for await (const blob of from.blobs(stop)) if (!failed.has(blob.digest)) all.push(blob);
    const wanted = sum(all);
    await eachLimited(
      all,
      async ({ digest, size }) => {
        const done = await noting(bad, digest, () =>
          to.verify({ digest, type: 'file' }, stop).then(() => true),
        );
        if (!done) return;
        verified.add(size);
        onProgress({ stage: 'verifying', ...verified.value(), ofBlobs: wanted.blobs, ofBytes: wanted.bytes });
      },
      { limit: atOnce, signal },
    );
  }
  return { copied: copied.value(), present: present.value(), verified: verified.value(), bad };
}

type CopyBlobOptions = Pick<CopyOptions, 'from' | 'to' | 'signal'> & {
  readonly scratch: string;
  /** Whether manifests are copied now. */
  readonly last: boolean;
};

async function copyBlob(
  { digest, size }: Blob,
  { from, to, scratch, last, ...stop }: CopyBlobOptions,
): Promise<'copied' | 'manifest'> {
  if (size <= inMemory) {
    const bytes = await buffer(await from.read(digest, stop));
    if (!last && looksLikeManifest(bytes)) return 'manifest';
    return expectSame(digest, (await to.putBytes(bytes, stop)).digest, to);
  }
  const file = join(scratch, digest.slice('sha256:'.length));
  try {
    await from.place({ digest, type: 'file' }, file, { mode: 'link', ...stop });
    if (!last && (await beginsLikeManifest(file))) return 'manifest';
    return expectSame(digest, (await to.put(file, stop)).digest, to);
  } finally {
    await rm(file, { force: true });
  }
}

function expectSame(digest: Digest, stored: Digest, { location }: ArtifactStore): 'copied' {
  if (stored === digest) return 'copied';
  throw new ArtifactCorrupt(`Artifact ${digest} became ${stored} on its way to ${location}.`, {
    hint: 'Check memory and disks of this machine, and start the copy again.',
    fields: { digest, stored },
  });
}

async function beginsLikeManifest(path: string): Promise<boolean> {
  await using file = await open(path, 'r');
  const { buffer: beginning, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
  return looksLikeManifest(beginning.subarray(0, bytesRead));
}

/** Content that is missing or changed is noted, and the others go on; anything else ends the copy. */
async function noting<T>(
  bad: CopyReport['bad'][number][],
  digest: Digest,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isMillraceError(error) || !badCodes.has(error.code)) throw error;
    bad.push({ digest, code: error.code, message: error.message });
    return undefined;
  }
}

function counter() {
  let blobs = 0;
  let bytes = 0;
  return {
    add(size: number): void {
      blobs += 1;
      bytes += size;
    },
    value: (): Count => ({ blobs, bytes }),
  };
}

const sum = (blobs: readonly Blob[]): Count => ({
  blobs: blobs.length,
  bytes: blobs.reduce((bytes, { size }) => bytes + size, 0),
});
