import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { chmod, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import type { Digest } from '../../sdk/artifact.js';
import type { MillraceError } from '../../sdk/errors.js';
import { ArtifactCorrupt, ArtifactMissing } from '../../sdk/errors.js';
import type { StoredBlob, StoreOptions } from '../artifact-store.js';
import type { BlobStore, PlaceBlobOptions } from '../blob-store.js';
import { checkedStream } from '../checked-stream.js';
import { eachLimited } from '../each-limited.js';
import type { Hashed } from '../hash-file.js';
import { digestOf } from '../hash-file.js';
import { changed, openRegular } from '../open-regular.js';
import { readSmallFile } from '../read-small-file.js';
import { createS3Calls } from './s3-calls.js';
import { copyObject } from './s3-copy.js';
import { isBodyChanged, isNotFound, isPreconditionFailed } from './s3-failure.js';
import { s3Keys } from './s3-keys.js';
import { hashParts, partSizeFor } from './s3-parts.js';
import type { S3Place, S3Settings } from './s3-settings.js';
import { createS3Upload } from './s3-upload.js';

export type S3BlobsOptions = {
  readonly client: S3Client;
  readonly place: S3Place;
  readonly settings?: S3Settings;
  /** How long a service that is gone is waited for, ms. Default 3 minutes. */
  readonly patienceMs?: number | undefined;
  /** A blob that is found again is not marked as stored again more often than this, ms. Default an hour. */
  readonly touchAfterMs?: number;
};

/** Content up to this size is sent without asking first whether it is there: the answer costs as much. */
const askFirstAbove = 64 * 1024;
const mostRemembered = 100_000;
/** Requests for small content under way at once. */
const atOnce = 48;

type FoundObject = { readonly etag: string; readonly size: number; readonly modified: Date };

/**
 * Blobs in a bucket, under the keys of docs/artifact-layout.md. Any number of machines may use it at once. Content is hashed
 * before it is sent, and its sha256 goes with it, so that the service refuses what arrives otherwise.
 */
export function s3Blobs(options: S3BlobsOptions): BlobStore {
  const { client, place: { bucket, prefix }, settings = {}, touchAfterMs = 3_600_000 } = options; // prettier-ignore
  const location = `s3://${bucket}/${prefix}`.replace(/\/$/, '');
  const calls = createS3Calls({ client, location, patienceMs: options.patienceMs });
  const keys = s3Keys(prefix);
  const upload = createS3Upload({ calls, bucket, settings });
  /** ETags of objects whose bytes this process has sent or checked. */
  const known = new Map<Digest, string>();
  const aside = new Map<Digest, Promise<ArtifactCorrupt>>();

  const remember = (digest: Digest, etag: string | undefined): void => {
    if (etag === undefined) return;
    if (known.size >= mostRemembered) known.clear();
    known.set(digest, etag);
  };

  let looked: Promise<void> | undefined;
  /** Once: that the bucket is there and lets us in. The answers to other requests do not tell a missing bucket from a missing object. */
  async function ready(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    looked ??= calls
      .call((s3) => s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: keys.blobs, MaxKeys: 1 })))
      .then(() => {});
    const mine = looked;
    await mine.catch((error: unknown) => {
      if (looked === mine) looked = undefined;
      throw error;
    });
    signal?.throwIfAborted();
  }

  async function find(digest: Digest, { signal }: StoreOptions = {}): Promise<FoundObject | undefined> {
    await ready(signal);
    try {
      const {
        ETag = '',
        ContentLength = 0,
        LastModified = new Date(0),
      } = await calls.call(
        (s3, send) => s3.send(new HeadObjectCommand({ Bucket: bucket, Key: keys.ofBlob(digest) }), send),
        signal ? { signal } : {},
      );
      return { etag: ETag, size: ContentLength, modified: LastModified };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Whether this content is there already. It then counts as stored again: garbage collection goes by that time. */
  async function isKept({ digest, size }: Hashed, options: StoreOptions): Promise<boolean> {
    const found = await find(digest, options);
    if (!found) return false;
    if (found.size !== size) {
      await setAside(digest, found);
      return false;
    }
    if (Date.now() - found.modified.getTime() < touchAfterMs) return true;
    const checked = known.get(digest) === found.etag;
    try {
      const key = keys.ofBlob(digest);
      const etag = await copyObject({ calls, bucket, settings, from: key, to: key, ...found }, options);
      if (checked) remember(digest, etag);
      return true;
    } catch (error) {
      // Removed or replaced since we looked.
      if (isNotFound(error)) return false;
      if (isPreconditionFailed(error)) return await isKept({ digest, size }, options);
      throw error;
    }
  }

  async function putBytes(bytes: Uint8Array, options: StoreOptions = {}): Promise<Hashed> {
    const hashed = { digest: digestOf(bytes), size: bytes.length };
    await ready(options.signal);
    if (bytes.length > askFirstAbove && (await isKept(hashed, options))) return hashed;
    await untilKept(hashed, options, () => upload.bytes(keys.ofBlob(hashed.digest), hashed, bytes, options));
    return hashed;
  }

  async function putFile(source: string, options: StoreOptions = {}): Promise<Hashed> {
    options.signal?.throwIfAborted();
    const bytes = readSmallFile(source);
    if (bytes) return await putBytes(bytes, options);
    await using file = await openRegular(source);
    const { size } = await file.stat();
    const hashed = await hashParts(file, { ...options, partSize: partSizeFor(size) });
    if (await isKept(hashed, options)) return { digest: hashed.digest, size: hashed.size };
    try {
      await untilKept(hashed, options, () => upload.parts(keys.ofBlob(hashed.digest), file, hashed, options));
    } catch (error) {
      if (isBodyChanged(error)) throw changed(source);
      throw error;
    }
    return { digest: hashed.digest, size: hashed.size };
  }

  /** Sends until the object is there, by us or by another who was quicker. */
  async function untilKept(
    hashed: Hashed,
    options: StoreOptions,
    send: () => Promise<string | undefined>,
  ): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        remember(hashed.digest, await send());
        return;
      } catch (error) {
        // An upload that is not there any more was finished by an attempt whose answer was lost, or swept.
        if (!isPreconditionFailed(error) && !isNotFound(error)) throw error;
        if (await isKept(hashed, options)) return;
        if (attempt === 5) throw error;
      }
    }
  }

  /** The bytes as they come, from where a broken answer ended: what they are is for the reader to check. */
  async function* chunks(digest: Digest, options: StoreOptions): AsyncGenerator<Buffer> {
    const patience = calls.patience(options);
    let got = 0;
    for (let size = Number.POSITIVE_INFINITY; got < size;) {
      const range = got === 0 ? {} : { Range: `bytes=${got}-` };
      const { Body, ContentLength = 0 } = await calls
        .call(
          (s3, send) =>
            s3.send(new GetObjectCommand({ Bucket: bucket, Key: keys.ofBlob(digest), ...range }), send),
          options,
        )
        .catch(async (error: unknown) => {
          throw isNotFound(error) ? await missing(digest) : error;
        });
      size = got + ContentLength;
      try {
        for await (const chunk of Body as Readable) {
          got += (chunk as Buffer).length;
          patience.progressed();
          yield chunk as Buffer;
        }
        if (got < size) throw Object.assign(new Error('The answer ended early.'), { code: 'ECONNRESET' });
      } catch (error) {
        await patience.failed(error);
      }
    }
  }

  /** Runs over the checked bytes. @throws ArtifactMissing, ArtifactCorrupt */
  async function readAll(
    digest: Digest,
    options: StoreOptions,
    take: (chunk: Buffer) => Promise<void> | undefined,
  ): Promise<void> {
    const before = await find(digest, options);
    if (!before) throw await missing(digest);
    const hash = createHash('sha256');
    for await (const chunk of chunks(digest, options)) {
      hash.update(chunk);
      await take(chunk);
    }
    if (`sha256:${hash.digest('hex')}` !== digest) throw await setAside(digest, before);
    remember(digest, before.etag);
  }

  async function verify(digest: Digest, options: StoreOptions = {}): Promise<void> {
    const found = await find(digest, options);
    if (!found) throw await missing(digest);
    if (known.get(digest) !== found.etag) await readAll(digest, options, () => undefined);
  }

  async function placeAt(
    digest: Digest,
    target: string,
    { mode, executable, ...options }: PlaceBlobOptions,
  ): Promise<void> {
    {
      await using file = await open(target, 'wx');
      await readAll(digest, options, (chunk) => writeWhole(file, chunk));
    }
    await chmod(target, (executable ? 0o555 : 0o444) | (mode === 'copy' ? 0o200 : 0));
  }

  async function read(digest: Digest, options: StoreOptions = {}): Promise<Readable> {
    const found = await find(digest, options);
    if (!found) throw await missing(digest);
    const source = Readable.from(chunks(digest, options), { objectMode: false, ...options });
    return checkedStream(source, digest, () => setAside(digest, found));
  }

  /** Takes an object that is not what its name says out of the way, so that it is missing from now on. */
  function setAside(digest: Digest, found: FoundObject): Promise<ArtifactCorrupt> {
    const done = moveAside(digest, found).finally(() => aside.delete(digest));
    aside.set(digest, done);
    return done;
  }

  async function moveAside(digest: Digest, found: FoundObject): Promise<ArtifactCorrupt> {
    known.delete(digest);
    const key = keys.ofCorrupt(digest, Date.now());
    const error = new ArtifactCorrupt(`Artifact ${digest} has changed in the store ${location}.`, {
      hint: `The bad bytes are kept at s3://${bucket}/${key}; make or upload the artifact again.`,
      fields: { digest, kept: `s3://${bucket}/${key}` },
    });
    const from = keys.ofBlob(digest);
    try {
      await copyObject({ calls, bucket, settings, from, to: key, ...found });
      await calls.call((s3) =>
        s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: from, IfMatch: found.etag })),
      );
    } catch (failure) {
      // Somebody else took it away or made it anew meanwhile.
      if (!isNotFound(failure) && !isPreconditionFailed(failure)) throw failure;
    }
    return error;
  }

  /** Of two who read changed bytes at once, the second says so too. */
  const missing = async (digest: Digest): Promise<MillraceError> =>
    (await aside.get(digest)) ??
    new ArtifactMissing(`Artifact ${digest} is not in the store ${location}.`, {
      hint: 'Run the step that made it, or upload it again.',
      fields: { digest },
    });

  async function* list({ signal }: StoreOptions = {}): AsyncIterable<StoredBlob> {
    const options = signal ? { signal } : {};
    let from: string | undefined;
    do {
      const page = await calls.call(
        (s3, send) =>
          s3.send(
            new ListObjectsV2Command({ Bucket: bucket, Prefix: keys.blobs, ContinuationToken: from }),
            send,
          ),
        options,
      );
      for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
        signal?.throwIfAborted();
        const digest = keys.digestOf(Key);
        if (digest) yield { digest, size: Size, touchedAt: LastModified };
      }
      from = page.NextContinuationToken;
    } while (from !== undefined);
  }

  return {
    location,
    atOnce,
    putBytes,
    putFile,
    putFiles: (sources, options = {}) =>
      eachLimited(sources, (source) => putFile(source, options), { limit: atOnce, signal: options.signal }),
    sizeOf: async (digest, options) => (await find(digest, options))?.size,
    verify,
    async bytes(digest, options = {}) {
      const found: Buffer[] = [];
      await readAll(digest, options, (chunk) => void found.push(chunk));
      return Buffer.concat(found);
    },
    place: placeAt,
    read,
    list,
    async touch(digest) {
      const found = await find(digest);
      return found !== undefined && (await isKept({ digest, size: found.size }, {}));
    },
    // Looked at just before: the bucket knows no removal on that condition, so the grace time has to hold the moment between.
    async remove(digest, { untouchedSince } = {}) {
      known.delete(digest);
      const patience = calls.patience();
      for (;;) {
        const found = await find(digest);
        if (!found || (untouchedSince && found.modified >= untouchedSince)) return false;
        try {
          const request = { Bucket: bucket, Key: keys.ofBlob(digest) };
          await calls.once((s3) => s3.send(new DeleteObjectCommand(request)));
          return true;
        } catch (error) {
          // It may have been done all the same, and put anew since: looked at again before it is asked again.
          await patience.failed(error);
        }
      }
    },
  };
}

async function writeWhole(file: FileHandle, chunk: Buffer): Promise<void> {
  for (let written = 0; written < chunk.length;) {
    written += (await file.write(chunk, written)).bytesWritten;
  }
}
