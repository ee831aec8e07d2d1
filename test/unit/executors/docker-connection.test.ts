import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { connectDocker, dockerHost } from '../../../activities/executors/docker-connection.js';
import { createDockerExecutor } from '../../../activities/executors/docker-executor.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

/** A folder as `docker context create` and `use` leave it. */
async function contextOf(host: string, tls: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = await temporaryFolder();
  const id = createHash('sha256').update('far').digest('hex');
  const meta = path.join(folder, 'contexts/meta', id);
  const files = path.join(folder, 'contexts/tls', id, 'docker');
  await mkdir(meta, { recursive: true });
  await mkdir(files, { recursive: true });
  await writeFile(path.join(folder, 'config.json'), '{"currentContext":"far"}');
  await writeFile(
    path.join(meta, 'meta.json'),
    JSON.stringify({ Name: 'far', Endpoints: { docker: { Host: host, SkipTLSVerify: false } } }),
  );
  for (const [name, text] of Object.entries(tls)) await writeFile(path.join(files, name), text);
  return folder;
}

/** An engine that only knows what version it is. */
async function versionServer(): Promise<string> {
  const server = createServer((_, answer) => answer.end('{"Version":"99.0","Os":"linux"}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  releaseAtEnd(() => new Promise((resolve) => server.close(resolve)));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a plain tcp context without certificates is connected to without them', async () => {
  const env = { DOCKER_CONFIG: await contextOf(`tcp://${await versionServer()}`) };
  expect(await connectDocker(env).version()).toMatchObject({ Version: '99.0' });
  expect(await createDockerExecutor({ env }).unavailable()).toBeUndefined();
});

test('the certificates that a context has are used, and only those', async () => {
  const env = { DOCKER_CONFIG: await contextOf('tcp://far.example', { 'ca.pem': 'the ca' }) };
  expect(connectDocker(env).modem).toMatchObject({ protocol: 'https', port: 2376, host: 'far.example' });
  expect(String((connectDocker(env).modem as { readonly ca?: unknown }).ca)).toBe('the ca');
});

test('an address without a scheme is tcp, as the docker command has it', async () => {
  const DOCKER_HOST = await versionServer();
  expect(dockerHost({ DOCKER_HOST })).toBe(`tcp://${DOCKER_HOST}`);
  expect(await connectDocker({ DOCKER_HOST }).version()).toMatchObject({ Version: '99.0' });
});

test.each([
  ['tcp://', /No Docker engine can be asked at tcp:\/\/ \(.*\): Mend DOCKER_HOST/],
  ['/var/run/docker.sock', /at tcp:\/\/\/var\/run\/docker.sock \(it names no host\): Mend DOCKER_HOST/],
  ['npipe:////./pipe/docker_engine', /\(it begins with none of unix:, tcp:, http:, https:, ssh:\)/],
  ['tcp://a b', /Invalid URL\): Mend/],
])(
  'a host that is no address stops no worker, and says so when it is asked: %s',
  async (DOCKER_HOST, says) => {
    const executor = createDockerExecutor({ env: { DOCKER_HOST } });
    expect(await executor.unavailable()).toMatch(says);
    await expect(connectDocker({ DOCKER_HOST }).listContainers()).rejects.toMatchObject({
      code: 'DOCKER_UNAVAILABLE',
    });
  },
);

test('certificates that were asked for and are missing make the engine unavailable, not insecure', async () => {
  const folder = await temporaryFolder();
  const env = { DOCKER_HOST: 'tcp://far.example', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder };
  expect(await createDockerExecutor({ env }).unavailable()).toMatch(/ENOENT.*ca\.pem/);
});
