import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import type { StoreOptions } from '../artifact-store.js';
import { eachLimited } from '../each-limited.js';
import { encryptionHeaders } from './encryption-headers.js';
import type { S3Calls } from './s3-calls.js';
import type { S3Settings } from './s3-settings.js';

/** S3 copies no more in one request. */
const mostAtOnce = 5 * 2 ** 30;

export type CopyObject = {
  readonly calls: S3Calls;
  readonly bucket: string;
  readonly settings: S3Settings;
  readonly from: string;
  /** May be `from`: the object then counts as written now. */
  readonly to: string;
  readonly etag: string;
  readonly size: number;
  /** Bytes copied in one request. Default 5 GiB, what S3 allows. */
  readonly most?: number;
};

/**
 * Copies an object inside the service and gives the copy's ETag.
 * @throws what `isNotFound` and `isPreconditionFailed` know, when it is not there or not the one of that ETag
 */
export async function copyObject(
  { calls, bucket, settings, from, to, etag, size, most = mostAtOnce }: CopyObject,
  { signal }: StoreOptions = {},
): Promise<string | undefined> {
  const options = signal ? { signal } : {};
  const target = { Bucket: bucket, Key: to };
  const source = { CopySource: encodeURI(`${bucket}/${from}`), CopySourceIfMatch: etag };
  const encryption = encryptionHeaders(settings);
  if (size <= most) {
    const { CopyObjectResult } = await calls.call(
      (s3, send) =>
        s3.send(
          new CopyObjectCommand({ ...target, ...source, ...encryption, MetadataDirective: 'REPLACE' }),
          send,
        ),
      options,
    );
    return CopyObjectResult?.ETag;
  }
  const { UploadId } = await calls.call(
    (s3, send) => s3.send(new CreateMultipartUploadCommand({ ...target, ...encryption }), send),
    options,
  );
  const upload = { ...target, UploadId };
  try {
    const starts = Array.from({ length: Math.ceil(size / most) }, (_, index) => index * most);
    const Parts = await eachLimited(
      starts,
      async (start) => {
        const PartNumber = start / most + 1;
        const CopySourceRange = `bytes=${start}-${Math.min(start + most, size) - 1}`;
        const { CopyPartResult } = await calls.call(
          (s3, send) =>
            s3.send(new UploadPartCopyCommand({ ...upload, ...source, PartNumber, CopySourceRange }), send),
          options,
        );
        return { PartNumber, ETag: CopyPartResult?.ETag };
      },
      { limit: 4, signal },
    );
    const { ETag } = await calls.call(
      (s3, send) =>
        s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }), send),
      options,
    );
    return ETag;
  } catch (error) {
    await calls.once((s3) => s3.send(new AbortMultipartUploadCommand(upload))).catch(() => {});
    throw error;
  }
}
