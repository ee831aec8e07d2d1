import type { BlobStore } from '../blob-store.js';
import { s3Blobs } from './s3-blobs.js';
import { createS3Client } from './s3-client.js';
import { s3Place } from './s3-keys.js';
import type { S3Settings } from './s3-settings.js';

/** Blobs where an `s3://` URL says; nothing is asked of the service yet. @throws ConfigInvalid */
export function openS3Blobs(
  url: string,
  {
    settings = {},
    patienceMs,
  }: { readonly settings?: S3Settings | undefined; readonly patienceMs?: number | undefined },
): BlobStore {
  return s3Blobs({ client: createS3Client(settings), place: s3Place(url), settings, patienceMs });
}
