import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { connectDocker } from '../../../activities/executors/docker-connection.js';
import { labelsOf } from '../../../activities/executors/container-options.js';
import { markOf } from '../../../activities/executors/process-leftovers.js';
import { ownerFile } from '../../../activities/executors/owned-folder.js';
import { secretsPrefix, secretsRoot, writeSecretFiles } from '../../../activities/executors/secret-files.js';
import { makeTemporaryFolder } from '../../../activities/executors/temporary-folder.js';
import { endEarlierAttempts } from '../../../activities/executors/end-earlier-attempts.js';
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

  const container = (installation: string, run: string, attempt: number) =>
    containerOf(identity(installation, run, attempt));

  async function containerOf(whose: ReturnType<typeof identity>) {
    const made = await docker.createContainer({
      Image: 'busybox:latest',
      Cmd: ['sleep', '300'],
      Labels: labelsOf(whose),
    });
    releaseAtEnd(() => made.remove({ force: true }).catch(() => undefined));
    await made.start();
    return made;
  }

  function processOf(whose: ReturnType<typeof identity>) {
    const child = spawn('sleep', ['300'], {
      env: { PATH: process.env['PATH'], ...markOf(whose) },
      detached: true,
    });
    releaseAtEnd(() => child.kill('SIGKILL'));
    return child;
  }

  /** One that was killed and that its parent, this test, has not heard of yet counts no more. */
  const isRunning = (pid: number) => {
    try {
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return false;
    }
  };

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
    ].map(processOf);
    await sweep({ installation: first, isLive, docker });
    await waitFor(() => started[1]?.signalCode === 'SIGKILL', { what: 'the process to end' });
    expect(started.map(({ signalCode }) => signalCode)).toEqual([null, 'SIGKILL', null]);
  });

  test('ends earlier attempts of the same step before the next begins, and nothing else', async () => {
    const of = (step: string, attempt: number, installation = first) => ({
      ...identity(installation, 'run-next', attempt),
      step,
    });
    const places = [of('a', 1), of('a', 2), of('a', 3), of('a', 4), of('b', 1), of('a', 1, second)];
    const containers = await Promise.all(places.map((place) => containerOf(place)));
    const processes = places.map(processOf);
    await endEarlierAttempts({
      ...of('a', 3),
      executor: 'docker',
      signal: new AbortController().signal,
      docker,
    });
    const kept = [false, false, true, true, true, true];
    expect(await Promise.all(containers.map(isThere))).toEqual(kept);
    // They are not only told to end: the next attempt takes their checkpoint over.
    expect(processes.map(({ pid }) => isRunning(pid!))).toEqual(kept);
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

  test('removes temporary files of processes that lost their worker, and none of another installation', async () => {
    const made = await Promise.all(
      [identity(first, 'run-live', 2), identity(first, 'run-live', 1), identity(second, 'run-closed', 1)].map(
        makeTemporaryFolder,
      ),
    );
    for (const { remove } of made) releaseAtEnd(remove);
    await sweep({ installation: first, isLive, docker });
    expect(made.map(({ folder }) => existsSync(folder))).toEqual([true, false, true]);
    // The path of a socket may have 104 bytes, and Python alone takes 31 of them.
    expect(path.relative(tmpdir(), made[0]!.folder).length).toBeLessThan(24);
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
