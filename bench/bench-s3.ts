import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { packageRoot } from '../config/package-root.js';
import { ended } from './ended.js';

/** An S3 server of the bench's own on this machine, and the best public client there is here. */
export type BenchS3 = AsyncDisposable & {
  readonly bucket: string;
  readonly env: NodeJS.ProcessEnv;
  /** Copies a file or folder either way; one side is `s3://<bucket>/<key>`. */
  readonly copy: (from: string, to: string) => Promise<void>;
  /** Name of that client. */
  readonly tool: string;
};

export async function startBenchS3(folder: string): Promise<BenchS3> {
  const setup = async (name: string): Promise<string> =>
    (await ended('bash', [path.join(packageRoot(), `test/setup/${name}.sh`)], { cwd: folder })).trim();
  const [server, client] = [await setup('s3'), await setup('s5cmd')];
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const keys = { AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench-secret', AWS_REGION: 'us-east-1' };
  const env = { ...process.env, ...keys, AWS_ENDPOINT_URL_S3: endpoint, S3_ENDPOINT_URL: endpoint };
  const child = spawn(server, ['server', '--quiet', '--address', `127.0.0.1:${port}`, path.join(folder, 's3')], {
    env: { ...env, MINIO_ROOT_USER: 'bench', MINIO_ROOT_PASSWORD: 'bench-secret', MINIO_BROWSER: 'off' },
    stdio: 'ignore',
  }); // prettier-ignore
  const bucket = 'bench';
  Object.assign(process.env, keys, { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' });
  const s3 = new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1', maxAttempts: 1 });
  await untilAnswered(() => s3.send(new CreateBucketCommand({ Bucket: bucket })));
  s3.destroy();
  const tool = path.basename(client).replace(/-v[\d.]+$/, '');
  return {
    bucket,
    env,
    tool,
    async copy(from, to) {
      if (tool === 's5cmd') return void (await ended(client, ['cp', from, to], { cwd: folder, env }));
      const remote = (place: string): string => place.replace(/^s3:\/\//, ':s3:');
      const flags = [
        '--s3-provider',
        'Minio',
        '--s3-env-auth',
        '--s3-endpoint',
        endpoint,
        '--transfers',
        '32',
      ];
      const verb = from.endsWith('/') ? 'copy' : 'copyto';
      await ended(client, [verb, ...flags, remote(from), remote(to)], { cwd: folder, env });
    },
    async [Symbol.asyncDispose]() {
      const over = once(child, 'exit');
      child.kill('SIGTERM');
      await over;
    },
  };
}

async function untilAnswered(ask: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await ask();
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(200);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
