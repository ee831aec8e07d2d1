import { dirname, join } from 'node:path';
import type { ContentType, Digest } from '../sdk/artifact.js';
import { ArtifactCorrupt, isMillraceError } from '../sdk/errors.js';
import type {
  ArtifactStore,
  PlaceOptions,
  PutOptions,
  StoredArtifact,
  StoreOptions,
  TreeEntry,
} from './artifact-store.js';
import type { BlobStore } from './blob-store.js';
import { sayingDiskFull } from './disk-full.js';
import { eachLimited } from './each-limited.js';
import { makeFolders, placeWhole } from './place-content.js';
import type { Hashed } from './hash-file.js';
import type { Found } from './scan-tree.js';
import { scanPath } from './scan-tree.js';
import type { Tree } from './tree-manifest.js';
import { decodeManifest, encodeManifest, treeSize } from './tree-manifest.js';

/** Files and folder trees over blobs (docs/artifact-layout.md): the same digests wherever the blobs lie. */
export const blobArtifactStore = (blobs: BlobStore): ArtifactStore => ({
  location: blobs.location,
  put: async (path, options = {}) => store(blobs, await scanPath(path, options), options),
  async putBytes(content, options = {}) {
    options.signal?.throwIfAborted();
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    return { ...(await blobs.putBytes(bytes, options)), type: 'file' };
  },
  has: (artifact, options = {}) => hasAll(blobs, artifact, options),
  verify: (artifact, options = {}) => verifyAll(blobs, artifact, options),
  place: (artifact, target, options) =>
    sayingDiskFull(dirname(target), () =>
      placeWhole(target, (temporary) => placeContent(blobs, artifact, temporary, options)),
    ),
  async read(digest, options = {}) {
    options.signal?.throwIfAborted();
    return await blobs.read(digest, options);
  },
  entries: async (digest, options = {}) => (await readTree(blobs, digest, options)).entries,
  blobs: (options) => blobs.list(options),
  touch: (digest) => blobs.touch(digest),
  remove: (digest, options) => blobs.remove(digest, options),
});

async function store(
  blobs: BlobStore,
  found: Found,
  { signal, known = new Map() }: PutOptions,
): Promise<StoredArtifact> {
  const options = signal ? { signal } : {};
  if (found.type === 'file') return { ...(await blobs.putFile(found.file.source, options)), type: 'file' };
  const there = await stillThere(blobs, known, options);
  const fresh = found.files.filter(({ path }) => !there.has(path));
  const stored = await blobs.putFiles(
    fresh.map(({ source }) => source),
    options,
  );
  const hashed = new Map<string, Hashed | undefined>(there);
  for (const [index, { path }] of fresh.entries()) hashed.set(path, stored[index]);
  const entries = found.files.flatMap(({ path, executable }): TreeEntry[] => {
    const content = hashed.get(path);
    return content ? [{ path, digest: content.digest, size: content.size, executable }] : [];
  });
  // Last: a manifest that is there says that all of its content is.
  const manifest = encodeManifest({ entries, emptyFolders: found.emptyFolders });
  const { digest } = await blobs.putBytes(manifest, options);
  return { digest, type: 'tree', size: treeSize(entries) };
}

/** Named again without being put: each counts as put. */
async function stillThere(
  blobs: BlobStore,
  known: ReadonlyMap<string, Hashed>,
  { signal }: StoreOptions,
): Promise<ReadonlyMap<string, Hashed>> {
  const entries = await eachLimited(
    [...known],
    async (entry) => ((await blobs.touch(entry[1].digest)) ? entry : undefined),
    { limit: blobs.atOnce, signal },
  );
  return new Map(entries.filter((entry) => entry !== undefined));
}

type Named = { readonly digest: Digest; readonly type: ContentType };

async function hasAll(blobs: BlobStore, { digest, type }: Named, options: StoreOptions): Promise<boolean> {
  options.signal?.throwIfAborted();
  const size = await blobs.sizeOf(digest, options);
  if (size === undefined || type === 'file') return size !== undefined;
  const tree = await readTree(blobs, digest, options).catch((error: unknown) => {
    // Also where it was removed since, or is no tree.
    if (isMillraceError(error) && gone.has(error.code)) return undefined;
    throw error;
  });
  if (!tree) return false;
  const present = await eachLimited(
    contentsOf(tree),
    async (entry) => (await blobs.sizeOf(entry.digest, options)) === entry.size,
    { limit: blobs.atOnce, signal: options.signal },
  );
  return present.every(Boolean);
}

const gone: ReadonlySet<string> = new Set(['ARTIFACT_MISSING', 'ARTIFACT_CORRUPT']);

async function verifyAll(blobs: BlobStore, { digest, type }: Named, options: StoreOptions): Promise<void> {
  options.signal?.throwIfAborted();
  if (type === 'file') return await blobs.verify(digest, options);
  const tree = await readTree(blobs, digest, options);
  await eachLimited(contentsOf(tree), (entry) => blobs.verify(entry.digest, options), {
    limit: blobs.atOnce,
    signal: options.signal,
  });
}

/** Each content of a tree once, with the size it should have. */
const contentsOf = ({ entries }: Tree): readonly TreeEntry[] => [
  ...new Map(entries.map((entry) => [`${entry.digest} ${entry.size}`, entry])).values(),
];

async function placeContent(
  blobs: BlobStore,
  { digest, type }: Named,
  target: string,
  { mode, signal }: PlaceOptions,
): Promise<void> {
  const options = signal ? { signal } : {};
  if (type === 'file') {
    await blobs.place(digest, target, { ...options, mode, executable: false });
    return;
  }
  const { entries, emptyFolders } = await readTree(blobs, digest, options);
  await makeFolders(target, { paths: entries.map((entry) => entry.path), folders: emptyFolders });
  await eachLimited(
    entries,
    ({ path, digest: content, executable }) =>
      blobs.place(content, join(target, path), { ...options, mode, executable }),
    { limit: blobs.atOnce, signal },
  );
}

async function readTree(blobs: BlobStore, digest: Digest, options: StoreOptions): Promise<Tree> {
  const tree = decodeManifest(await blobs.bytes(digest, options));
  if (tree) return tree;
  throw new ArtifactCorrupt(`Artifact ${digest} is no folder tree.`, {
    hint: 'The reference says `tree`, the content is something else: use the reference that the upload or the step gave.',
    fields: { digest },
  });
}
