import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { connectDocker } from '../../../activities/executors/docker-connection.js';
import { createDockerExecutor } from '../../../activities/executors/docker-executor.js';
import type { WorkOptions, ImageRequest } from '../../../activities/executors/executor.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { tryWith } from './executor-contract.js';

const python = { kind: 'reference', reference: 'python:3.12-slim' } as const;
const built = { kind: 'build', context: './trainer', dockerfile: 'Dockerfile' } as const;
const request = (given: Partial<ImageRequest>): ImageRequest => ({
  image: python,
  requirements: undefined,
  context: undefined,
  ...given,
});

async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), content);
  }
  return folder;
}

describeWith({ docker: true }, 'images for the Docker executor', () => {
  const docker = connectDocker();
  const executor = createDockerExecutor({ docker });
  const details: string[] = [];
  const options: WorkOptions = {
    signal: new AbortController().signal,
    onDetail: (detail) => details.push(detail),
  };
  /** Contents of its own, so that nothing of an earlier run of the tests is found. */
  const unique = `${Date.now()}-${process.pid}`;
  const removeImage = (reference: string) =>
    releaseAtEnd(() =>
      docker
        .getImage(reference)
        .remove({ force: true })
        .catch(() => undefined),
    );

  test('gives the id of an image that is there', async () => {
    const found = await executor.resolve(request({}), options);
    expect(found.reference).toBe('python:3.12-slim');
    expect(found.id).toBe((await docker.getImage('python:3.12-slim').inspect()).Id);
  });

  test('says of an image that is neither here nor to be pulled what it tried and what to do', async () => {
    const image = { kind: 'reference', reference: '127.0.0.1:1/team/absent:1' } as const;
    const resolved = executor.resolve(request({ image }), options);
    await expect(resolved).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
    await expect(resolved).rejects.toThrow(
      /Image `127.0.0.1:1\/team\/absent:1` is not on this machine and could not be pulled: .*docker login 127.0.0.1:1/,
    );
  });

  test('pulls with the credentials of the user, from the file and from a helper', async () => {
    const seen: (string | undefined)[] = [];
    // A registry that only asks who one is.
    const registry = createServer((asked, answer) => {
      seen.push(asked.headers.authorization);
      answer.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
    });
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    releaseAtEnd(() => new Promise((resolve) => registry.close(resolve)));
    const host = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
    const basic = (user: string) => `Basic ${Buffer.from(user).toString('base64')}`;
    const helper =
      '#!/bin/sh\nread server\necho "{\\"Username\\":\\"helped\\",\\"Secret\\":\\"$1-$server\\"}"\n';
    const config = await folderOf({
      'config.json': JSON.stringify({
        auths: { [host]: { auth: Buffer.from('ann:pass:word').toString('base64') } },
      }),
      'helped/config.json': JSON.stringify({ credHelpers: { [host]: 'test' } }),
      'bin/docker-credential-test': helper,
    });
    await chmod(path.join(config, 'bin/docker-credential-test'), 0o755);
    const image = { kind: 'reference', reference: `${host}/team/private:1` } as const;
    const tryPull = async (DOCKER_CONFIG: string) => {
      const env = { ...process.env, DOCKER_CONFIG, PATH: `${config}/bin:${process.env['PATH']}` };
      const resolved = createDockerExecutor({ docker, env }).resolve(request({ image }), options);
      await expect(resolved).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
    };
    await tryPull(config);
    expect(seen).toContain(basic('ann:pass:word'));
    await tryPull(path.join(config, 'helped'));
    expect(seen).toContain(basic(`helped:get-${host}`));
  });

  test('derives an image with the requirements of a source, once for all who ask', async () => {
    const source = await folderOf({
      'requirements.txt': `# ${unique}\n-r more/base.txt\n`,
      'more/base.txt': 'six==1.17.0\n',
      'train.py': 'import six; print(six.__version__)',
    });
    details.length = 0;
    const asked = await Promise.all(
      [1, 2, 3].map(() => executor.resolve(request({ requirements: source }), options)),
    );
    const [image] = asked;
    removeImage(image!.reference);
    expect(new Set(asked.map(({ id }) => id)).size).toBe(1);
    expect(image?.reference).toMatch(/^millrace\/derived:[0-9a-f]{32}$/);
    expect(details).toContain('installing requirements.txt into python:3.12-slim');
    const { end, log } = await tryWith(
      executor,
      image,
    )({
      command: ['python', '-c', 'import six; print(six.__version__)'],
    });
    expect(log).toEqual(['out 1.17.0']);
    expect(end.packages).toContain('six==1.17.0');
    details.length = 0;
    expect(await executor.resolve(request({ requirements: source }), options)).toEqual(image);
    expect(details).toEqual([]);
  });

  test('keeps proxies out of the history of the image it derives', async () => {
    const source = await folderOf({ 'requirements.txt': `# ${unique} behind a proxy\n` });
    const env = { ...process.env, HTTP_PROXY: 'http://ann:pass-word@proxy.example', PIP_RETRIES: '7' };
    const deriving = createDockerExecutor({ docker, env });
    const image = await deriving.resolve(request({ requirements: source }), options);
    removeImage(image.reference);
    const history = JSON.stringify(await docker.getImage(image.id).history());
    expect(history).toContain('PIP_RETRIES=7');
    expect(history).not.toMatch(/pass-word|HTTP_PROXY/);
  });

  test('shows the last lines of pip where requirements cannot be installed', async () => {
    const source = await folderOf({ 'requirements.txt': 'six==999.0\n' });
    const resolved = executor.resolve(request({ requirements: source }), options);
    await expect(resolved).rejects.toMatchObject({ code: 'DEPENDENCIES_FAILED' });
    await expect(resolved).rejects.toThrow(/No matching distribution found for six==999.0/);
  });

  test('builds an image from a context, again only when the context changes, without what .dockerignore names', async () => {
    const files = {
      Dockerfile: 'FROM python:3.12-slim\nCOPY . /app\n',
      '.dockerignore': 'data\n!data/kept.txt\n*.log\n',
      'a.txt': unique,
      'b.log': 'left out',
      'sub/c.log': 'kept: the pattern names the root only',
      'data/big.bin': 'left out',
      'data/kept.txt': 'let in again',
    };
    const folder = await folderOf(files);
    const image = await executor.resolve(request({ image: built, context: folder }), options);
    removeImage(image.reference);
    const { log } = await tryWith(
      executor,
      image,
    )({ command: ['sh', '-c', 'cd /app && find . -type f | sort'] });
    expect(log).toEqual(
      ['./.dockerignore', './Dockerfile', './a.txt', './data/kept.txt', './sub/c.log'].map(
        (name) => `out ${name}`,
      ),
    );
    await writeFile(path.join(folder, 'b.log'), 'left out still');
    expect(await executor.resolve(request({ image: built, context: folder }), options)).toEqual(image);
    await writeFile(path.join(folder, 'a.txt'), `${unique}-changed`);
    const changed = await executor.resolve(request({ image: built, context: folder }), options);
    removeImage(changed.reference);
    expect(changed.reference).not.toBe(image.reference);
  });

  test('brings an image that another host resolved only as what it was there, and says when this host has another', async () => {
    const folder = await folderOf({ Dockerfile: 'FROM python:3.12-slim\nCOPY . /app\n', 'a.txt': unique });
    const asked = () => Promise.resolve(request({ image: built, context: folder }));
    const image = await executor.resolve(await asked(), options);
    removeImage(image.reference);
    await executor.bring(image, () => Promise.reject(new Error('nothing is made of what is there')), options);
    const elsewhere = { ...image, id: `sha256:${'0'.repeat(64)}` } as const;
    const brought = executor.bring(elsewhere, asked, options);
    await expect(brought).rejects.toMatchObject({
      code: 'INFRASTRUCTURE_FAILED',
      fields: { id: elsewhere.id },
    });
    await expect(brought).rejects.toThrow(
      `here it is ${image.id}. Its digest is fixed for the run: bring it to each host`,
    );
    const absent = { kind: 'reference', reference: '127.0.0.1:1/team/absent:1' } as const;
    const pulled = {
      reference: absent.reference,
      id: elsewhere.id,
      repoDigest: `127.0.0.1:1/team/absent@${elsewhere.id}`,
    };
    await expect(
      executor.bring(pulled, () => Promise.resolve(request({ image: absent })), options),
    ).rejects.toMatchObject({ code: 'INFRASTRUCTURE_FAILED', cause: { code: 'IMAGE_NOT_FOUND' } });
  });

  test('shows the last lines of a build that failed, and names a Dockerfile that is missing', async () => {
    const folder = await folderOf({
      Dockerfile: `FROM python:3.12-slim\nRUN echo compiling ${unique} && exit 9\n`,
    });
    const failed = executor.resolve(request({ image: built, context: folder }), options);
    await expect(failed).rejects.toMatchObject({ code: 'IMAGE_BUILD_FAILED' });
    await expect(failed).rejects.toThrow(new RegExp(`compiling ${unique}`));
    const empty = executor.resolve(request({ image: built, context: await folderOf({}) }), options);
    await expect(empty).rejects.toThrow(/The context of image .\/trainer has no Dockerfile/);
  });

  test('stops a build that nobody waits for any more', async () => {
    const folder = await folderOf({ Dockerfile: `FROM python:3.12-slim\nRUN echo ${unique}; sleep 120\n` });
    const controller = new AbortController();
    const from = performance.now();
    const resolved = executor.resolve(request({ image: built, context: folder }), {
      signal: controller.signal,
      onDetail: (detail) => detail.endsWith('2/2') && controller.abort(),
    });
    await expect(resolved).rejects.toMatchObject({ name: 'AbortError' });
    expect(performance.now() - from).toBeLessThan(60_000);
    const building = async () =>
      (await docker.listContainers()).filter(({ Command }) => Command.includes(unique)).length === 0;
    await waitFor(building, { what: 'the engine to stop building' });
  });
});
