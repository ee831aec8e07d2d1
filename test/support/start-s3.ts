import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { freePort } from './free-port.js';
import { realPart } from './real-parts.js';
import { releaseAtEnd } from './release-at-end.js';
import { type RunningProgram, startProgram } from './run-program.js';
import { temporaryFolder } from './temporary-folder.js';
import { waitFor } from './wait-for.js';

export type S3Options = {
  /** Where it keeps its data. Default: a new folder. */
  readonly folder?: string;
};

export type TestS3 = {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string;
  readonly port: number;
  /** The environment that a program needs to reach it. */
  readonly env: Readonly<Record<string, string>>;
  /** A client of the administrator's; ends with the file. */
  readonly client: S3Client;
  /** Makes an empty bucket and gives its name. */
  readonly bucket: () => Promise<string>;
};

const user = 'millrace';
const password = 'millrace-secret';

/**
 * An S3 server of this test file's own, which ends with it. Sets the variables by which the SDK finds credentials, in this process.
 */
export async function startS3({ folder }: S3Options = {}): Promise<TestS3> {
  const data = folder ?? (await temporaryFolder());
  const { server, port } = await started(data);
  releaseAtEnd(() => server[Symbol.asyncDispose]());
  const endpoint = `http://127.0.0.1:${port}`;
  const env = {
    AWS_ACCESS_KEY_ID: user,
    AWS_SECRET_ACCESS_KEY: password,
    AWS_REGION: 'us-east-1',
    // The SDK's word on Node 20.
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  };
  Object.assign(process.env, env);
  const client = new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1' });
  releaseAtEnd(() => client.destroy());
  let count = 0;
  return {
    endpoint,
    port,
    env: { ...env, MILLRACE_S3_ENDPOINT: endpoint },
    client,
    async bucket() {
      const name = `bucket-${++count}`;
      await client.send(new CreateBucketCommand({ Bucket: name }));
      return name;
    },
  };
}

async function started(folder: string): Promise<{ readonly server: RunningProgram; readonly port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const server = startProgram(
      executable(),
      ['server', '--quiet', '--address', `127.0.0.1:${port}`, folder],
      {
        // A key of its own for SSE-KMS; nothing else of the caller's environment may change the server.
        env: { MINIO_ROOT_USER: user, MINIO_ROOT_PASSWORD: password, MINIO_BROWSER: 'off', MINIO_KMS_SECRET_KEY: `test-key:${Buffer.alloc(32, 7).toString('base64')}` },
      },
    ); // prettier-ignore
    try {
      await answers(server, port);
      return { server, port };
    } catch (error) {
      await server[Symbol.asyncDispose]();
      // Another program may have taken the port in between.
      if (attempt === 3 || !/already in use/.test(server.stdout() + server.stderr())) throw error;
    }
  }
}

function executable(): string {
  const part = realPart('s3');
  if ('missing' in part) throw new Error(part.missing);
  return part.found;
}

async function answers(server: RunningProgram, port: number): Promise<void> {
  const ended = server.ended.then(({ exitCode, stdout, stderr }) => {
    throw new Error(`The S3 server ended with ${exitCode}:\n${stdout}${stderr}`);
  });
  ended.catch(() => undefined);
  const ready = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${port}/minio/health/ready`).catch(() => undefined))?.ok === true;
  await Promise.race([ended, waitFor(ready, { what: `S3 at port ${port}`, timeoutMs: 60_000 })]);
}
