import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { Digest } from '../../../sdk/artifact.js';
import type { StoredBlob } from '../../../store/artifact-store.js';
import type { BlobStore } from '../../../store/blob-store.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { copyObject } from '../../../store/s3/s3-copy.js';
import { createS3Calls } from '../../../store/s3/s3-calls.js';
import { createS3Client } from '../../../store/s3/s3-client.js';
import { s3Blobs } from '../../../store/s3/s3-blobs.js';
import { hashParts } from '../../../store/s3/s3-parts.js';
import type { S3Settings } from '../../../store/s3/s3-settings.js';
import { createS3Upload } from '../../../store/s3/s3-upload.js';
import { describeWith } from '../../support/describe-with.js';
import type { FaultyProxy } from '../../support/start-faulty-proxy.js';
import { startFaultyProxy } from '../../support/start-faulty-proxy.js';
import { startS3, type TestS3 } from '../../support/start-s3.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const mebibyte = 2 ** 20;

describeWith({ s3: true }, 'Blobs on S3', () => {
  let s3: TestS3;
  let proxy: FaultyProxy;
  let bucket: string;
  let folder: string;
  beforeAll(async () => {
    s3 = await startS3();
    proxy = await startFaultyProxy(s3.port);
  });
  beforeEach(async () => {
    bucket = await s3.bucket();
    folder = await temporaryFolder();
    proxy.requests.length = 0;
  });

  const blobs = (settings: S3Settings = {}, touchAfterMs?: number): BlobStore =>
    s3Blobs({
      client: createS3Client({ endpoint: proxy.endpoint, ...settings }),
      place: { bucket, prefix: '' },
      settings,
      ...(touchAfterMs !== undefined && { touchAfterMs }),
    });
  const keyOf = (digest: Digest): string => `v1/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(9)}`;
  const head = (digest: Digest) =>
    s3.client.send(new HeadObjectCommand({ Bucket: bucket, Key: keyOf(digest) }));
  const file = async (size: number): Promise<string> => {
    await writeFile(path.join(folder, 'file'), randomBytes(size));
    return path.join(folder, 'file');
  };
  const sent = (method: string): number => proxy.requests.filter((line) => line.startsWith(method)).length;

  test('lie where and as docs/artifact-layout.md says, with the digests of a local store', async () => {
    const tree = path.join(folder, 'example');
    await mkdir(path.join(tree, 'bin'), { recursive: true });
    await mkdir(path.join(tree, 'assets'));
    await writeFile(path.join(tree, 'README.txt'), 'A model.\n');
    await writeFile(path.join(tree, 'bin/predict'), '#!/bin/sh\necho 0.5\n', { mode: 0o755 });
    const store = await openArtifactStore(`s3://${bucket}`, { s3: { endpoint: s3.endpoint } });
    const local = await openArtifactStore(`file:${folder}/local`);
    const stored = await store.put(tree);
    expect(await local.put(tree)).toEqual(stored);

    const layout = await readFile(path.join(__dirname, '../../../docs/artifact-layout.md'), 'utf8');
    expect(layout).toContain(`digest of the tree is \`${stored.digest}\``);
    const { Contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket: bucket }));
    expect(Contents.map(({ Key }) => Key)).toHaveLength(3);
    for (const { Key = '' } of Contents) {
      const { Body } = await s3.client.send(new GetObjectCommand({ Bucket: bucket, Key }));
      const bytes = await readFile(path.join(folder, 'local', Key));
      expect(Buffer.from(await Body!.transformToByteArray())).toEqual(bytes);
    }
  });

  test('are not sent again when they are there', async () => {
    const small = await file(100_000);
    await blobs().putFile(small);
    const before = sent('PUT');
    await blobs().putFile(small);
    expect(sent('PUT')).toBe(before);
    const large = await file(20 * mebibyte);
    await blobs().putFile(large);
    const parts = sent('PUT');
    await blobs().putFile(large);
    expect(sent('PUT')).toBe(parts);
  });

  test('are made once when several put the same at once', async () => {
    const large = await file(20 * mebibyte);
    const stored = await Promise.all([blobs(), blobs(), blobs()].map((each) => each.putFile(large)));
    expect(new Set(stored.map(({ digest }) => digest)).size).toBe(1);
    await blobs().verify(stored[0]!.digest);
    const tiny = await Promise.all(
      [blobs(), blobs(), blobs()].map((each) => each.putBytes(Buffer.from('x'))),
    );
    expect(new Set(tiny.map(({ digest }) => digest)).size).toBe(1);
  });

  test.each([
    ['small', 1_000],
    ['large, made of parts', 20 * mebibyte],
  ])('count as stored again when they are put again: %s', async (_, size) => {
    const source = await file(size);
    const store = blobs({}, 0);
    const { digest } = await store.putFile(source);
    const first = (await only(store)).touchedAt.getTime();
    await sleep(1_100);
    await store.putFile(source);
    expect((await only(store)).touchedAt.getTime()).toBeGreaterThan(first);
    const { length } = proxy.requests;
    await store.verify(digest);
    // It is known to be what was checked before.
    expect(proxy.requests.slice(length).map((line) => line.split(' ')[0])).toEqual(['HEAD']);
  });

  test('of a size that is not theirs are set aside and made anew', async () => {
    const { digest } = await blobs().putBytes(Buffer.from('hello'));
    await s3.client.send(new PutObjectCommand({ Bucket: bucket, Key: keyOf(digest), Body: 'hell' }));
    await blobs().putBytes(Buffer.from('hello'));
    // Found there when it is sent, looked at, moved away, sent again.
    expect((await blobs().bytes(digest)).toString()).toBe('hello');
    const { Contents = [] } = await s3.client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: 'v1/corrupt/' }),
    );
    expect(Contents).toHaveLength(1);
  });

  test('are refused by the service when the file changed after it was hashed', async () => {
    const source = await file(20 * mebibyte);
    const calls = createS3Calls({ client: createS3Client({ endpoint: s3.endpoint }), location: 'here' });
    const upload = createS3Upload({ calls, bucket, settings: {} });
    await using handle = await open(source, 'r+');
    const hashed = await hashParts(handle, { partSize: 16 * mebibyte });
    expect(hashed.parts.map(({ size }) => size)).toEqual([16 * mebibyte, 4 * mebibyte]);
    await handle.write(Buffer.from('changed'), 0, 7, 17 * mebibyte);
    await expect(upload.parts(keyOf(hashed.digest), handle, hashed, {})).rejects.toMatchObject({
      name: 'XAmzContentSHA256Mismatch',
    });
    expect(await blobs().sizeOf(hashed.digest)).toBeUndefined();
  });

  test.each([
    ['s3', 'AES256'],
    ['kms', 'aws:kms'],
  ] as const)(
    'are encrypted as `%s` says, those of parts and those touched too',
    async (encryption, said) => {
      const store = blobs({ encryption, ...(encryption === 'kms' && { kmsKey: 'test-key' }) }, 0);
      const small = await store.putBytes(Buffer.from('x'));
      const large = await store.putFile(await file(20 * mebibyte));
      await store.putBytes(Buffer.from('x'));
      for (const { digest } of [small, large]) {
        expect((await head(digest)).ServerSideEncryption).toBe(said);
        await store.verify(digest);
      }
      expect((await store.bytes(small.digest)).toString()).toBe('x');
    },
  );

  test('larger than one request may copy are copied in stretches', async () => {
    const { digest, size } = await blobs().putFile(await file(12 * mebibyte));
    const { ETag: etag = '' } = await head(digest);
    const calls = createS3Calls({ client: createS3Client({ endpoint: s3.endpoint }), location: 'here' });
    const from = keyOf(digest);
    const copy = { calls, bucket, settings: {}, from, etag, size, most: 5 * mebibyte };
    await copyObject({ ...copy, to: 'copy' });
    const { Body } = await s3.client.send(new GetObjectCommand({ Bucket: bucket, Key: 'copy' }));
    const copied = Buffer.from(await Body!.transformToByteArray());
    expect(copied.equals(await readFile(path.join(folder, 'file')))).toBe(true);
    await expect(copyObject({ ...copy, etag: '"other"', to: 'copy' })).rejects.toMatchObject({
      $metadata: { httpStatusCode: 412 },
    });
  });

  test('are listed over more than one page', async () => {
    const store = blobs();
    const files = await Promise.all(
      Array.from({ length: 1_100 }, async (_, index) => {
        await writeFile(path.join(folder, `${index}`), `${index}`);
        return path.join(folder, `${index}`);
      }),
    );
    await store.putFiles(files);
    await s3.client.send(new PutObjectCommand({ Bucket: bucket, Key: 'v1/blobs/sha256/notes', Body: 'x' }));
    let count = 0;
    for await (const { size } of store.list()) count += size > 0 ? 1 : 0;
    expect(count).toBe(1_100);
  });
});

async function only(store: BlobStore): Promise<StoredBlob> {
  for await (const blob of store.list()) return blob;
  throw new Error('The store is empty.');
}
