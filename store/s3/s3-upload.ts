import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { StoreOptions } from '../artifact-store.js';
import { eachLimited } from '../each-limited.js';
import type { Hashed } from '../hash-file.js';
import { createLanes } from '../lanes.js';
import { announceBody } from './announced-body.js';
import { encryptionHeaders } from './encryption-headers.js';
import type { S3Calls } from './s3-calls.js';
import type { FilePart, HashedParts } from './s3-parts.js';
import type { S3Settings } from './s3-settings.js';

/** Requests with a large body that are under way at once, over all files: each holds a few megabytes. */
const bodiesAtOnce = 4;
const bodyChunkBytes = 256 * 1024;

export type S3Upload = {
  /** Each puts an object where none is yet and gives its ETag. The service refuses bytes that are not what was hashed. */
  readonly bytes: (
    key: string,
    hashed: Hashed,
    bytes: Uint8Array,
    options: StoreOptions,
  ) => Promise<string | undefined>;
  readonly parts: (
    key: string,
    file: FileHandle,
    hashed: HashedParts,
    options: StoreOptions,
  ) => Promise<string | undefined>;
};

export function createS3Upload({
  calls,
  bucket,
  settings,
}: {
  readonly calls: S3Calls;
  readonly bucket: string;
  readonly settings: S3Settings;
}): S3Upload {
  const lanes = createLanes(bodiesAtOnce);
  const encryption = encryptionHeaders(settings);

  const bytes: S3Upload['bytes'] = async (key, { digest, size }, body, options) => {
    const put = { Bucket: bucket, Key: key, ContentLength: size, IfNoneMatch: '*', ...encryption };
    const { ETag } = await calls.call(
      (s3, send) =>
        s3.send(
          new PutObjectCommand({ ...put, Body: announceBody(body, digest.slice('sha256:'.length)) }),
          send,
        ),
      options,
    );
    return ETag;
  };

  const single = (
    key: string,
    file: FileHandle,
    part: FilePart,
    options: StoreOptions,
  ): Promise<string | undefined> =>
    lanes(() =>
      calls.call(async (s3, send) => {
        const put = { Bucket: bucket, Key: key, ContentLength: part.size, IfNoneMatch: '*', ...encryption };
        const { ETag } = await withBody(file, part, (Body) =>
          s3.send(new PutObjectCommand({ ...put, Body }), send),
        );
        return ETag;
      }, options),
    );

  async function multipart(
    key: string,
    file: FileHandle,
    parts: readonly FilePart[],
    { signal }: StoreOptions,
  ): Promise<string | undefined> {
    const options = signal ? { signal } : {};
    const { UploadId } = await calls.call(
      (s3, send) =>
        s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: key, ...encryption }), send),
      options,
    );
    const target = { Bucket: bucket, Key: key, UploadId };
    try {
      const Parts = await eachLimited(
        parts,
        (part) =>
          lanes(() =>
            calls.call(async (s3, send) => {
              const sent = { ...target, PartNumber: part.number, ContentLength: part.size };
              const { ETag } = await withBody(file, part, (Body) =>
                s3.send(new UploadPartCommand({ ...sent, Body }), send),
              );
              return { PartNumber: part.number, ETag };
            }, options),
          ),
        { limit: bodiesAtOnce, signal },
      );
      const { ETag } = await calls.call(
        (s3, send) =>
          s3.send(
            new CompleteMultipartUploadCommand({ ...target, IfNoneMatch: '*', MultipartUpload: { Parts } }),
            send,
          ),
        options,
      );
      return ETag;
    } catch (error) {
      // Without the patience of other calls: what is left goes by the bucket's rule for unfinished uploads.
      await calls.once((s3) => s3.send(new AbortMultipartUploadCommand(target))).catch(() => {});
      throw error;
    }
  }

  return {
    bytes,
    parts: (key, file, { parts }, options) => {
      const [first, ...others] = parts;
      return first && others.length === 0
        ? single(key, file, first, options)
        : multipart(key, file, parts, options);
    },
  };
}

async function withBody<T>(
  file: FileHandle,
  { start, size, sha256 }: FilePart,
  send: (body: Readable) => Promise<T>,
): Promise<T> {
  // Not the handle's own stream: destroying that would close the file under the other parts.
  const body = Readable.from(stretch(file, start, start + size), { objectMode: false });
  try {
    return await send(announceBody(body, sha256));
  } finally {
    body.destroy();
  }
}

async function* stretch(file: FileHandle, start: number, end: number): AsyncGenerator<Buffer> {
  for (let position = start; position < end;) {
    const buffer = Buffer.allocUnsafe(Math.min(bodyChunkBytes, end - position));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    // The file has become shorter: the service refuses what is missing.
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}
