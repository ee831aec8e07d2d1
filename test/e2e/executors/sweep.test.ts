import { spawn } from 'node:child_process';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { connectDocker } from '../../../activities/executors/docker-connection.js';
import { labelsOf } from '../../../activities/executors/container-options.js';
import { markOf } from '../../../activities/executors/process-leftovers.js';
import {
  ownerFile,
  secretsPrefix,
  secretsRoot,
  writeSecretFiles,
} from '../../../activities/executors/secret-files.js';
import { sweep } from '../../../activities/executors/sweep.js';
import { describeWith } from '../../support/describe-with.js';
import { executionOf } from '../../support/execution.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { waitFor } from '../../support/wait-for.js';

describeWith({ docker: true }, 'the sweep', () => {
  const docker = connectDocker();
  const first = `first-${process.pid}`;
  const second = `${first}-second`;
  /** Attempt 2 of run-live took over from attempt 1; run-closed is over. */
  const isLive = async (run: string, _step: string, attempt: number) => run === 'run-live' && attempt >= 2;
  const identity = (installation: string, run: string, attempt: number) => ({
    installation,
    run,
    step: 'train#2',
    attempt,
    key: 'key',
  });

  async function container(installation: string, run: string, attempt: number) {
    const made = await docker.createContainer({
      Image: 'busybox:latest',
      Cmd: ['sleep', '300'],
      Labels: labelsOf(identity(installation, run, attempt)),
    });
    releaseAtEnd(() => made.remove({ force: true }).catch(() => undefined));
    await made.start();
    return made;
  }

  const isThere = (made: Awaited<ReturnType<typeof container>>) =>
    made.inspect().then(
      () => true,
      () => false,
    );

  test('removes containers of closed runs and superseded attempts, and none of another installation', async () => {
    const live = await container(first, 'run-live', 2);
    const superseded = await container(first, 'run-live', 1);
    const closed = await container(first, 'run-closed', 1);
    const others = await container(second, 'run-closed', 1);
    await sweep({ installation: first, isLive, docker });
    expect(await Promise.all([live, superseded, closed, others].map(isThere))).toEqual([
      true,
      false,
      false,
      true,
    ]);
    await sweep({ installation: second, isLive: () => Promise.resolve(false), docker });
    expect(await Promise.all([live, others].map(isThere))).toEqual([true, false]);
  });

  test('ends processes that lost their worker, and none of another installation', async () => {
    const started = [
      identity(first, 'run-live', 2),
      identity(first, 'run-closed', 1),
      identity(second, 'run-closed', 1),
    ].map((whose) => {
      const child = spawn('sleep', ['300'], {
        env: { PATH: process.env['PATH'], ...markOf(whose) },
        detached: true,
      });
      releaseAtEnd(() => child.kill('SIGKILL'));
      return child;
    });
    await sweep({ installation: first, isLive, docker });
    await waitFor(() => started[1]?.signalCode === 'SIGKILL', { what: 'the process to end' });
    expect(started.map(({ signalCode }) => signalCode)).toEqual([null, 'SIGKILL', null]);
  });

  test('removes files of secrets that lost their worker, and none of another installation', async () => {
    const secrets = [{ name: 'TOKEN', value: 'tops3cret', env: false }];
    const made = await Promise.all(
      [
        identity(first, 'run-live', 2),
        identity(first, 'run-closed', 1),
        identity(second, 'run-closed', 1),
      ].map((given) => writeSecretFiles(executionOf({}, { ...given, secrets }), { exports: false })),
    );
    for (const files of made) releaseAtEnd(() => files?.remove());
    await sweep({ installation: first, isLive, docker });
    const there = made.map((files) =>
      access(path.join(files?.folder ?? '', 'TOKEN')).then(
        () => true,
        () => false,
      ),
    );
    expect(await Promise.all(there)).toEqual([true, false, true]);
  });

  test('leaves files of secrets alone while they are being made', async () => {
    const making = await mkdtemp(path.join(secretsRoot(), secretsPrefix(first)));
    releaseAtEnd(() => rm(making, { recursive: true, force: true }));
    await mkdir(path.join(making, 'values'));
    await sweep({ installation: first, isLive, docker });
    await access(making);
    await writeFile(path.join(making, ownerFile), JSON.stringify(identity(first, 'run-closed', 1)));
    await sweep({ installation: first, isLive, docker });
    await expect(access(making)).rejects.toThrow(/ENOENT/);
  });

  test('passes over an engine that does not answer', async () => {
    const away = connectDocker({ DOCKER_HOST: 'unix:///nowhere/docker.sock' });
    await expect(sweep({ installation: first, isLive, docker: away })).resolves.toBeUndefined();
  });
});
