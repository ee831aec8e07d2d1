import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { connectDocker } from '../../../activities/executors/docker-connection.js';
import { labelsOf } from '../../../activities/executors/container-options.js';
import { endEarlierAttempts } from '../../../activities/executors/end-earlier-attempts.js';
import { writeSecretFiles } from '../../../activities/executors/secret-files.js';
import { keepOutput } from '../../../activities/executors/keep-output.js';
import { sweep } from '../../../activities/executors/sweep.js';
import { takeFileLock } from '../../../activities/executors/file-lock.js';
import { statePaths } from '../../../config/state-paths.js';
import { containerPaths } from '../../../sdk/step-contract.js';
import { describeWith } from '../../support/describe-with.js';
import { executionOf } from '../../support/execution.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

describeWith({ docker: true }, 'what a container printed after its worker died', () => {
  const docker = connectDocker();
  const installation = `left-output-${process.pid}`;
  const identity = { installation, run: 'run-1', step: 'train', attempt: 1, key: 'k' };
  const never = new AbortController().signal;

  async function host() {
    const paths = statePaths(await temporaryFolder());
    const log = paths.attemptLog('run-1', 'train', 1);
    await mkdir(path.dirname(log), { recursive: true });
    await writeFile(log, '');
    /** Without its times. */
    const kept = async () => (await readFile(log, 'utf8')).replaceAll(/^\S+ /gm, '');
    return { beforeRemoval: keepOutput(paths), log, kept };
  }

  /** Prints two lines, the second one with a secret, then goes on. */
  async function container(binds: readonly string[] = []) {
    const made = await docker.createContainer({
      Image: 'busybox:latest',
      Cmd: ['/bin/sh', '-c', 'echo one; sleep 0.1; echo two tops3cret; printf end; exec sleep 300'],
      Labels: labelsOf(identity),
      HostConfig: { Binds: [...binds] },
    });
    releaseAtEnd(() => made.remove({ force: true }).catch(() => undefined));
    await made.start();
    const printed = async () =>
      (await made.logs({ stdout: true, timestamps: true })).toString('latin1').match(/2\d{3}-\S+Z one|two/g) ?? []; // prettier-ignore
    await waitFor(async () => (await printed()).length === 2, { what: 'its output' });
    return { made, first: (await printed())[0]!.replace(/ one$/, '') };
  }

  async function withSecrets() {
    const secrets = [{ name: 'TOKEN', value: 'tops3cret', env: false }];
    const files = await writeSecretFiles(executionOf({}, { ...identity, secrets }), { exports: false });
    releaseAtEnd(() => files?.remove());
    return { files, binds: [`${files?.folder}:${containerPaths.folder}/secrets:ro`] };
  }

  const isThere = (made: { inspect(): Promise<unknown> }) =>
    made.inspect().then(
      () => true,
      () => false,
    );

  const isLive = () => Promise.resolve(false);

  test('is kept, masked, each line once, when the sweep removes it', async () => {
    const { beforeRemoval, log, kept } = await host();
    const { binds } = await withSecrets();
    const { made, first } = await container(binds);
    await writeFile(log, `${first} out one\n`);
    await sweep({ installation, isLive, docker, beforeRemoval });
    expect([await isThere(made), await kept()]).toEqual([false, 'out one\nout two ***\nout end\n']);
  });

  test('is kept when the next attempt ends it', async () => {
    const { beforeRemoval, kept } = await host();
    const { made } = await container();
    await endEarlierAttempts({ ...identity, attempt: 2, executor: 'docker', signal: never, docker, beforeRemoval }); // prettier-ignore
    expect([await isThere(made), await kept()]).toEqual([false, 'out one\nout two tops3cret\nout end\n']);
  });

  test('is left out where its secrets are gone and cannot be masked', async () => {
    const { beforeRemoval, kept } = await host();
    const { binds, files } = await withSecrets();
    const { made } = await container(binds);
    await files?.remove();
    await sweep({ installation, isLive, docker, beforeRemoval });
    expect(await isThere(made)).toBe(false);
    expect(await kept()).toMatch(/^err millrace: the rest of the output is not kept: .*\n$/);
  });

  test('is left to who has the attempt still', async () => {
    const { beforeRemoval, log, kept } = await host();
    const lock = await takeFileLock(`${log}.lock`, { signal: never });
    const { made } = await container();
    await beforeRemoval(made, identity);
    expect([await isThere(made), await kept()]).toEqual([true, '']);
    await lock[Symbol.asyncDispose]();
  });
});
