import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import type { ContentType, Digest } from '../sdk/artifact.js';
import { ArtifactCorrupt, isMillraceError } from '../sdk/errors.js';
import type {
  ArtifactStore,
  PlaceOptions,
  StoredArtifact,
  StoreOptions,
  TreeEntry,
} from './artifact-store.js';
import type { BlobFolder } from './blob-folder.js';
import { openBlobFolder } from './blob-folder.js';
import { eachLimited } from './each-limited.js';
import { makeFolders, placeBlob, placeWhole } from './place-content.js';
import type { Found } from './scan-tree.js';
import { scanPath } from './scan-tree.js';
import type { Tree } from './tree-manifest.js';
import { decodeManifest, encodeManifest, treeSize } from './tree-manifest.js';

/** Files of a tree that are read or written at once. */
const filesAtOnce = 8;

/**
 * Artifacts in a folder of this machine (docs/artifact-layout.md). Any number of processes may use it at once. What it hands
 * out was hashed by this process since it was last written to; content that fails is set aside and missing from then on.
 */
export async function openLocalArtifactStore(root: string): Promise<ArtifactStore> {
  const blobs = await openBlobFolder(root);
  return {
    location: root,
    put: async (path, options = {}) => store(blobs, await scanPath(path, options), options),
    async putBytes(content, { signal } = {}) {
      signal?.throwIfAborted();
      const bytes = typeof content === 'string' ? Buffer.from(content) : content;
      return { ...(await blobs.putBytes(bytes)), type: 'file' };
    },
    has: (artifact, options = {}) => hasAll(blobs, artifact, options),
    verify: (artifact, options = {}) => verifyAll(blobs, artifact, options),
    place: (artifact, target, options) =>
      placeWhole(target, (temporary) => placeContent(blobs, artifact, temporary, options)),
    read: (digest, options = {}) => readChecked(blobs, digest, options),
    entries: async (digest, options = {}) => (await readTree(blobs, digest, options)).entries,
    blobs: (options) => blobs.list(options),
    remove: (digest) => blobs.remove(digest),
  };
}

async function store(blobs: BlobFolder, found: Found, { signal }: StoreOptions): Promise<StoredArtifact> {
  const options = signal ? { signal } : {};
  if (found.type === 'file') return { ...(await blobs.putFile(found.file.source, options)), type: 'file' };
  const entries = await eachLimited(
    found.files,
    async ({ path, source, executable }): Promise<TreeEntry> => ({
      path,
      ...(await blobs.putFile(source, options)),
      executable,
    }),
    { limit: filesAtOnce, signal },
  );
  // Last: a manifest that is there says that all of its content is.
  const { digest } = await blobs.putBytes(encodeManifest({ entries, emptyFolders: found.emptyFolders }));
  return { digest, type: 'tree', size: treeSize(entries) };
}

type Named = { readonly digest: Digest; readonly type: ContentType };

async function hasAll(blobs: BlobFolder, { digest, type }: Named, options: StoreOptions): Promise<boolean> {
  options.signal?.throwIfAborted();
  const size = await blobs.sizeOf(digest);
  if (size === undefined || type === 'file') return size !== undefined;
  const tree = await readTree(blobs, digest, options).catch((error: unknown) => {
    if (isMillraceError(error)) return undefined;
    throw error;
  });
  if (!tree) return false;
  const present = await eachLimited(
    tree.entries,
    async (entry) => (await blobs.sizeOf(entry.digest)) === entry.size,
    { limit: filesAtOnce, signal: options.signal },
  );
  return present.every(Boolean);
}

async function verifyAll(blobs: BlobFolder, { digest, type }: Named, options: StoreOptions): Promise<void> {
  options.signal?.throwIfAborted();
  if (type === 'file') {
    await blobs.verified(digest, options);
    return;
  }
  const { entries } = await readTree(blobs, digest, options);
  const contents = [...new Set(entries.map((entry) => entry.digest))];
  await eachLimited(contents, (content) => blobs.verified(content, options), {
    limit: filesAtOnce,
    signal: options.signal,
  });
}

async function placeContent(
  blobs: BlobFolder,
  { digest, type }: Named,
  target: string,
  { mode, signal }: PlaceOptions,
): Promise<void> {
  const options = signal ? { signal } : {};
  if (type === 'file') {
    await placeBlob(await blobs.verified(digest, options), target, { mode, executable: false });
    return;
  }
  const { entries, emptyFolders } = await readTree(blobs, digest, options);
  await makeFolders(target, { paths: entries.map((entry) => entry.path), folders: emptyFolders });
  await eachLimited(
    entries,
    async ({ path, digest: content, executable }) =>
      placeBlob(await blobs.verified(content, options), join(target, path), { mode, executable }),
    { limit: filesAtOnce, signal },
  );
}

async function readTree(blobs: BlobFolder, digest: Digest, options: StoreOptions): Promise<Tree> {
  const tree = decodeManifest(await readFile(await blobs.verified(digest, options), options));
  if (tree) return tree;
  throw new ArtifactCorrupt(`Artifact ${digest} is no folder tree.`, {
    hint: 'The reference says `tree`, the content is something else: use the reference that the upload or the step gave.',
    fields: { digest },
  });
}

async function readChecked(blobs: BlobFolder, digest: Digest, { signal }: StoreOptions): Promise<Readable> {
  signal?.throwIfAborted();
  if ((await blobs.sizeOf(digest)) === undefined) throw blobs.missing(digest);
  const hash = createHash('sha256');
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      if (`sha256:${hash.digest('hex')}` === digest) done();
      else blobs.setAside(digest).then(done, done);
    },
  });
  const source = createReadStream(blobs.pathOf(digest), signal ? { signal } : {});
  // Not pipeline(): its promise would need a reader of its own; this passes a failure of either side to the other.
  source.on('error', (error) => check.destroy(error));
  check.on('close', () => source.destroy());
  return source.pipe(check);
}
