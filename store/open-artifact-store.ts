import type { ArtifactStore } from './artifact-store.js';
import { blobArtifactStore } from './blob-artifact-store.js';
import type { BlobCacheSettings } from './blob-cache.js';
import { cachedBlobs } from './blob-cache.js';
import { openBlobFolder } from './blob-folder.js';
import type { BlobStore } from './blob-store.js';
import type { S3Settings } from './s3/s3-settings.js';
import { pathOfUrl } from './store-url.js';

export type ArtifactStoreSettings = {
  /** For a store on S3. Default: as AWS's own variables say. */
  readonly s3?: S3Settings;
  /** Keeps what a store on S3 gave on this machine. Default: nothing is kept. */
  readonly storeCache?: BlobCacheSettings;
  /** How long a store on S3 that does not answer is waited for, ms. Default 3 minutes. */
  readonly patienceMs?: number;
};

/**
 * Opens the store a URL names. A folder is created if need be; a bucket must be there, and is looked at when it is first used.
 * @param url `file:<path>`, `s3://<bucket>` or `s3://<bucket>/<prefix>`
 * @throws ConfigInvalid for any other
 */
export const openArtifactStore = async (
  url: string,
  settings: ArtifactStoreSettings = {},
): Promise<ArtifactStore> => blobArtifactStore(await openBlobs(url, settings));

async function openBlobs(
  url: string,
  { s3, storeCache, patienceMs }: ArtifactStoreSettings,
): Promise<BlobStore> {
  if (!url.startsWith('s3:'))
    return await openBlobFolder(pathOfUrl(url, { scheme: 'file', option: 'store' }));
  // Imported here: who has no store on S3 must not pay for the SDK.
  const { openS3Blobs } = await import('./s3/open-s3-blobs.js');
  const blobs = openS3Blobs(url, { settings: s3, patienceMs });
  return storeCache ? await cachedBlobs(blobs, storeCache) : blobs;
}
