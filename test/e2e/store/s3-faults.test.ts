import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { ArtifactStore } from '../../../store/artifact-store.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import type { FaultyProxy } from '../../support/start-faulty-proxy.js';
import { startFaultyProxy } from '../../support/start-faulty-proxy.js';
import { startS3, type TestS3 } from '../../support/start-s3.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { startScript } from './start-script.js';

const mebibyte = 2 ** 20;

describeWith({ s3: true }, 'A store on S3', () => {
  let s3: TestS3;
  let proxy: FaultyProxy;
  let bucket: string;
  let store: ArtifactStore;
  let folder: string;
  beforeAll(async () => {
    s3 = await startS3();
  });
  beforeEach(async () => {
    proxy = await startFaultyProxy(s3.port);
    bucket = await s3.bucket();
    store = await openArtifactStore(`s3://${bucket}`, { s3: { endpoint: proxy.endpoint } });
    folder = await temporaryFolder();
  });

  const file = async (name: string, size: number): Promise<string> => {
    await writeFile(path.join(folder, name), randomBytes(size));
    return path.join(folder, name);
  };
  const tree = async (): Promise<string> => {
    await mkdir(path.join(folder, 'tree'));
    for (let index = 0; index < 30; index += 1) await file(`tree/${index}`, 1_000);
    await file('tree/large', 40 * mebibyte);
    return path.join(folder, 'tree');
  };
  /** Stores a tree and places it again: what `diff` says of the two. */
  const roundTrip = async (): Promise<string> => {
    const source = await tree();
    const stored = await store.put(source);
    await store.verify(stored);
    await store.place(stored, path.join(folder, 'placed'), { mode: 'copy' });
    return execFileSync('diff', ['-r', source, path.join(folder, 'placed')], { encoding: 'utf8' });
  };
  const objects = async (): Promise<number> =>
    (await s3.client.send(new ListObjectsV2Command({ Bucket: bucket }))).KeyCount ?? 0;

  describe('goes on', () => {
    test('through answers of 503 and 500', async () => {
      let count = 0;
      proxy.judge = () =>
        count++ % 3 === 0
          ? { kind: 'status', status: count % 2 ? 503 : 500, code: count % 2 ? 'SlowDown' : 'InternalError' }
          : { kind: 'pass' };
      expect(await roundTrip()).toBe('');
    });

    test('through connections that are reset', async () => {
      let count = 0;
      proxy.judge = () => (count++ % 4 === 0 ? { kind: 'reset' } : { kind: 'pass' });
      expect(await roundTrip()).toBe('');
    });

    test('through answers that break off, from where they broke off', async () => {
      const stored = await store.put(await file('large', 40 * mebibyte));
      proxy.judge = ({ method }) =>
        method === 'GET' ? { kind: 'cut', afterBytes: 15 * mebibyte } : { kind: 'pass' };
      const before = proxy.requests.length;
      await store.place(stored, path.join(folder, 'placed'), { mode: 'copy' });
      execFileSync('cmp', [path.join(folder, 'large'), path.join(folder, 'placed')]);
      expect((await buffer(await store.read(stored.digest))).length).toBe(40 * mebibyte);
      const gets = proxy.requests.slice(before).filter((line) => line.startsWith('GET') && line.includes('v1/blobs/sha256/'));
      expect(gets.length).toBeGreaterThanOrEqual(6);
    }); // prettier-ignore

    test('slowly where the service is slow', async () => {
      proxy.judge = () => ({ kind: 'slow', pauseMs: 3 });
      const stored = await store.put(await file('large', 17 * mebibyte));
      expect((await buffer(await store.read(stored.digest))).length).toBe(17 * mebibyte);
    });

    test('when the service was gone in the middle of an upload', async () => {
      const source = await tree();
      let parts = 0;
      proxy.judge = ({ url }) => {
        if (url?.includes('partNumber=')) parts += 1;
        return { kind: 'slow', pauseMs: 2 };
      };
      const putting = store.put(source);
      putting.catch(() => undefined);
      await waitFor(() => Promise.resolve(parts > 1), { what: 'an upload under way' });
      await proxy.vanish();
      setTimeout(() => void proxy.comeBack(), 6_000);
      proxy.judge = () => ({ kind: 'pass' });
      const stored = await putting;
      await store.verify(stored);
      await store.place(stored, path.join(folder, 'placed'), { mode: 'copy' });
      execFileSync('diff', ['-r', source, path.join(folder, 'placed')]);
    });

    test('when the answer to the last request of an upload is lost', async () => {
      let lost = false;
      proxy.judge = ({ method, url }) => {
        if (lost || method !== 'POST' || !url?.includes('uploadId=')) return { kind: 'pass' };
        lost = true;
        return { kind: 'cut', afterBytes: 0 };
      };
      const stored = await store.put(await file('large', 40 * mebibyte));
      expect(lost).toBe(true);
      await store.verify(stored);
    });
  });

  describe('says at once', () => {
    const opened = (url: string, env: Readonly<Record<string, string | undefined>> = {}) =>
      withEnvironment(env, async () => {
        const other = await openArtifactStore(url, { s3: { endpoint: s3.endpoint } });
        await other.putBytes('x');
      });

    test.each([
      ['a key that does not exist', { AWS_ACCESS_KEY_ID: 'nobody' }, 'InvalidAccessKeyId'],
      ['a wrong secret', { AWS_SECRET_ACCESS_KEY: 'wrong-secret' }, 'SignatureDoesNotMatch'],
      [
        'no credentials at all',
        {
          AWS_ACCESS_KEY_ID: undefined,
          AWS_SECRET_ACCESS_KEY: undefined,
          AWS_EC2_METADATA_DISABLED: 'true',
          AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
          AWS_CONFIG_FILE: '/nonexistent',
        },
        'credentials',
      ],
    ])(
      '%s',
      async (_, env, said) => {
        await expect(opened(`s3://${bucket}`, env)).rejects.toMatchObject({
          code: 'CONFIG_INVALID',
          message: expect.stringContaining(said),
          hint: expect.stringContaining('AWS_ACCESS_KEY_ID'),
        });
      },
      30_000,
    );

    test('a bucket that is not there, whatever is asked', async () => {
      const other = await openArtifactStore('s3://no-such-bucket', { s3: { endpoint: s3.endpoint } });
      const digest = `sha256:${'0'.repeat(64)}` as const;
      for (const asked of [
        other.putBytes('x'),
        other.has({ digest, type: 'file' }),
        other.read(digest),
        other.place({ digest, type: 'tree' }, path.join(folder, 'placed'), { mode: 'copy' }),
      ]) {
        await expect(asked).rejects.toMatchObject({
          code: 'CONFIG_INVALID',
          hint: expect.stringContaining('Create the bucket'),
        });
      }
    }, 30_000);

    test.each(['20', '-20'])(
      'a clock that is %s minutes off',
      async (minutes) => {
        const child = await startScript('put-child.ts', [`s3://${bucket}`, await file('a', 10), minutes], {
          ...s3.env,
          AWS_ENDPOINT_URL_S3: s3.endpoint,
        });
        const answer = JSON.parse((await child.ended).stdout) as { code: string; message: string };
        expect(answer).toMatchObject({
          code: 'STORE_UNAVAILABLE',
          message: expect.stringContaining('clock'),
        });
      },
      30_000,
    );
  });

  test('shows nothing of an upload whose process was killed, and the next one finishes it', async () => {
    const source = await tree();
    let parts = 0;
    proxy.judge = ({ url }) => {
      if (url?.includes('partNumber=')) parts += 1;
      return { kind: 'slow', pauseMs: 20 };
    };
    const child = await startScript('put-child.ts', [`s3://${bucket}`, path.join(source, 'large')], {
      ...s3.env,
      AWS_ENDPOINT_URL_S3: proxy.endpoint,
    });
    await waitFor(() => Promise.resolve(parts > 1), { what: 'an upload under way' });
    child.kill('SIGKILL');
    expect((await child.ended).stdout).toBe('');
    expect(await objects()).toBe(0);
    for await (const blob of store.blobs()) throw new Error(`there is ${blob.digest}`);

    proxy.judge = () => ({ kind: 'pass' });
    const stored = await store.put(source);
    await store.verify(stored);
    expect(await objects()).toBe(32);
  });

  test('leaves no unfinished upload behind when it is told to stop', async () => {
    const abort = new AbortController();
    proxy.judge = ({ url }) => {
      if (url?.includes('partNumber=')) abort.abort();
      return { kind: 'slow', pauseMs: 5 };
    };
    const source = await file('large', 40 * mebibyte);
    await expect(store.put(source, { signal: abort.signal })).rejects.toThrow(/abort/i);
    const { Uploads = [] } = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    expect(Uploads).toEqual([]);
    expect(await objects()).toBe(0);
  });
});

describeWith({ s3: true, mount: true }, 'A full disk under the cache of a store on S3', () => {
  test('is said, and room is made of what is not in use first', async () => {
    const s3 = await startS3();
    const folder = await temporaryFolder();
    const disk = path.join(folder, 'disk');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk]);
    releaseAtEnd(() => execFileSync('umount', ['-l', disk]));
    const store = await openArtifactStore(`s3://${await s3.bucket()}`, {
      s3: { endpoint: s3.endpoint },
      storeCache: { dir: path.join(disk, 'cache'), size: 2 ** 30 },
    });
    const put = async (name: string, size: number) => {
      await writeFile(path.join(folder, name), randomBytes(size));
      return await store.put(path.join(folder, name));
    };
    const [first, second, third] = await Promise.all([
      put('a', 5 * mebibyte),
      put('b', 5 * mebibyte),
      put('c', 12 * mebibyte),
    ]);
    await store.place(first, path.join(folder, 'a2'), { mode: 'copy' });
    await store.place(second, path.join(folder, 'b2'), { mode: 'copy' });
    execFileSync('cmp', [path.join(folder, 'b'), path.join(folder, 'b2')]);
    await expect(store.place(third, path.join(folder, 'c2'), { mode: 'copy' })).rejects.toMatchObject({
      code: 'INFRASTRUCTURE_FAILED',
      message: expect.stringContaining('ENOSPC'),
      hint: expect.stringContaining('room'),
    });
    expect(await readdir(path.join(disk, 'cache/v1/tmp'))).toEqual([]);
    expect(await readdir(folder)).not.toContain('c2');
  });
});

async function withEnvironment<T>(
  env: Readonly<Record<string, string | undefined>>,
  work: () => Promise<T>,
): Promise<T> {
  const before = { ...process.env };
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  try {
    return await work();
  } finally {
    process.env = before;
  }
}
