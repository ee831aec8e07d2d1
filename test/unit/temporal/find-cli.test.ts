import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { packageRoot } from '../../../config/package-root.js';
import type { MillraceError } from '../../../sdk/errors.js';
import { findTemporalCli } from '../../../workers/temporal/find-cli.js';
import { temporalModule, temporalVersion } from '../../../workers/temporal/version.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const cli = '#!/bin/sh\necho "temporal version 1.5.1 (Server 1.29.1)"\n';
const nowhere = 'http://127.0.0.1:2/archive';

async function program(folder: string, name: string, script: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), script);
  await chmod(join(folder, name), 0o755);
  return join(folder, name);
}

/** A machine with nothing but what its `bin` folder holds. */
async function machine(): Promise<{ bin: string; cached: string; env: NodeJS.ProcessEnv }> {
  const home = await temporaryFolder();
  const bin = join(home, 'bin');
  await mkdir(bin);
  return {
    bin,
    cached: join(home, '.cache/millrace/bin', `temporal-v${temporalVersion.cli}`),
    env: { PATH: `${bin}:/bin:/usr/bin`, HOME: home },
  };
}

/** Serves an archive as Temporal's own place does: the executable among other files. */
async function archiveServer(script = cli): Promise<{ url: string; asked: () => number }> {
  const folder = await temporaryFolder();
  await program(folder, 'temporal', script);
  await writeFile(join(folder, 'LICENSE'), 'text');
  const archive = execFileSync('tar', ['-czf', '-', '-C', folder, 'LICENSE', 'temporal']);
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.end(archive);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  releaseAtEnd(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/archive`, asked: () => asked };
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => {
      throw new Error('it was found');
    },
    (error: MillraceError) => error,
  );

test('the executable on PATH wins, then the one in the cache', async () => {
  const { bin, cached, env } = await machine();
  await program(join(cached, '..'), `temporal-v${temporalVersion.cli}`, cli);
  await expect(findTemporalCli({ env, downloadUrl: nowhere })).resolves.toBe(cached);
  const onPath = await program(bin, 'temporal', cli);
  await expect(findTemporalCli({ env, downloadUrl: nowhere })).resolves.toBe(onPath);
});

test('the cache lies where XDG_CACHE_HOME says', async () => {
  const { env } = await machine();
  const cache = await temporaryFolder();
  const kept = await program(join(cache, 'millrace/bin'), `temporal-v${temporalVersion.cli}`, cli);
  await expect(
    findTemporalCli({ env: { ...env, XDG_CACHE_HOME: cache }, downloadUrl: nowhere }),
  ).resolves.toBe(kept);
});

test('without either it is downloaded, once for all who ask at the same moment, and kept alone in the cache', async () => {
  const { cached, env } = await machine();
  const { url, asked } = await archiveServer();
  const said: string[] = [];
  const find = () =>
    findTemporalCli({ env, downloadUrl: url, onProgress: (sentence) => said.push(sentence) });
  await expect(Promise.all([find(), find(), find()])).resolves.toEqual([cached, cached, cached]);
  expect(asked()).toBe(1);
  expect(execFileSync(cached, { encoding: 'utf8' })).toContain('temporal version 1.5.1');
  await expect(readdir(join(cached, '..'))).resolves.toEqual(['temporal-v1.5.1', 'temporal.lock']);
  expect(said).toContain('Downloading the Temporal CLI v1.5.1 from 127.0.0.1:' + new URL(url).port + '.');
});

test('where the download cannot be had it is built with Go from the pinned module', async () => {
  const { bin, cached, env } = await machine();
  await program(
    bin,
    'go',
    `#!/bin/sh\necho "$@" > "$HOME/go-args"\nprintf '${cli.replaceAll('\n', '\\n')}' > "$GOBIN/temporal"\n`,
  );
  const said: string[] = [];
  await expect(
    findTemporalCli({ env, downloadUrl: nowhere, onProgress: (sentence) => said.push(sentence) }),
  ).resolves.toBe(cached);
  await expect(readFile(join(env['HOME'] ?? '', 'go-args'), 'utf8')).resolves.toBe(
    `install -trimpath -ldflags=-s -w ${temporalModule}\n`,
  );
  expect(said).toEqual([
    expect.stringMatching(/^Downloading the Temporal CLI v1\.5\.1/),
    expect.stringMatching(/^That did not work \(download: .*ECONNREFUSED/),
    expect.stringMatching(/^Building the Temporal CLI v1\.5\.1 with Go: this takes 3 to 8 minutes/),
  ]);
});

test('when nothing works the error names all that was tried and what to do, and nothing is left in the cache', async () => {
  const { bin, cached, env } = await machine();
  await program(bin, 'go', '#!/bin/sh\necho "go: module lookup disabled" >&2\nexit 1\n');
  const { url } = await archiveServer('#!/bin/sh\necho something else\n');
  const error = await failure(findTemporalCli({ env, downloadUrl: url }));
  expect(error.code).toBe('TEMPORAL_NOT_FOUND');
  expect(error.message).toContain(cached);
  expect(error.message).toContain('download: what came is no Temporal CLI: something else');
  expect(error.message).toContain('go install: go: module lookup disabled');
  expect(error.message).toContain('https://docs.temporal.io/cli');
  expect(error.message).toContain('TEMPORAL_ADDRESS');
  await expect(readdir(join(cached, '..'))).resolves.toEqual(['temporal.lock']);
});

test('a machine without Go is told that there is none', async () => {
  const { env, bin } = await machine();
  const error = await failure(findTemporalCli({ env: { ...env, PATH: bin }, downloadUrl: nowhere }));
  expect(error.message).toContain('go install: there is no `go` on PATH');
});

test('an aborted search ends at once with the reason, the build too', async () => {
  const { bin, cached, env } = await machine();
  await program(bin, 'go', '#!/bin/sh\nexec sleep 60\n');
  const abort = new AbortController();
  const onProgress = (sentence: string) => {
    if (sentence.startsWith('Building')) setTimeout(() => abort.abort(new Error('not now')), 50);
  };
  const error = await failure(
    findTemporalCli({ env, downloadUrl: nowhere, onProgress, signal: abort.signal }),
  );
  expect(error.message).toBe('not now');
  await expect(readdir(join(cached, '..'))).resolves.toEqual(['temporal.lock']);
});

test('the pin is the same as that of deploy', async () => {
  const pin = await readFile(join(packageRoot(), 'deploy/temporal.version'), 'utf8');
  expect(pin).toContain(`cli=${temporalVersion.cli}\n`);
  expect(pin).toContain(`server=${temporalVersion.server}\n`);
});
