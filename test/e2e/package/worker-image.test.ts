import { execFileSync } from 'node:child_process';
import { chown, mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { createClient } from '../../../client/index.js';
import { loadConfig } from '../../../config/load-config.js';
import { packageRoot } from '../../support/build-package.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { runProgram } from '../../support/run-program.js';
import { writeProject } from '../../support/start-millrace.js';
import { startTemporal } from '../../support/start-temporal.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'package.json': '{"name":"shipped","type":"module"}',
  's.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
const number = z.object({ n: z.number() });
export const inside = step({ name: 'inside', isolation: 'none', input: number, output: number }, ({ n }) => ({ n: n + 1 }));
export const apart = step({ name: 'apart', isolation: 'process', input: number, output: number }, ({ n }) => ({ n: n + 1 }));
export const boxed = step({ name: 'boxed', image: 'busybox:latest', command: ['sh', '-c', 'id -u > {out.uid}'], input: number, output: z.object({ uid: z.number() }) });`,
  's.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { apart, boxed, inside } from './s.steps.js';
export const shipped = pipeline({ name: 'shipped', input: z.object({ n: z.number() }) }, async (input) => {
  const { n } = await apart(await inside(input));
  return { n, ...(await boxed({ n })) };
});`,
};

const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8' }).trim();

/** The owner in deploy/Dockerfile. */
const user = 1000;

describeWith({ docker: true, temporal: true }, "the worker's image of deploy/", () => {
  const name = `millrace-worker-test-${process.pid}`;

  test('is built, serves a project as an ordinary user on the engine of its machine, is healthy and drains', async () => {
    // By the network of the machine: npm reads its registry the way it does here.
    const built = await runProgram(
      'docker',
      ['build', '--network', 'host', '-f', 'deploy/Dockerfile', '-t', name, '.'],
      { cwd: packageRoot, timeoutMs: 900_000 },
    );
    expect(built.exitCode === 0 ? '' : built.stdout + built.stderr).toBe('');
    releaseAtEnd(() => docker('rmi', '-f', name));

    const root = await temporaryFolder();
    const [project, state] = [path.join(root, 'project'), path.join(root, 'state')];
    await writeProject(project, files);
    await mkdir(state);
    if (process.getuid?.() === 0) await chown(state, user, user);
    const temporal = await startTemporal();
    const { gid } = await stat('/var/run/docker.sock');
    // As compose.yaml has it, but for the network: this service listens on the machine's loopback address.
    const given = {
      TEMPORAL_ADDRESS: temporal.address,
      MILLRACE_QUEUE: name,
      MILLRACE_STATE_DIR: state,
      MILLRACE_EXECUTOR: 'docker',
    };
    const settings = Object.entries(given).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
    const mounts = [`${state}:${state}`, '/dev/shm:/dev/shm', '/var/run/docker.sock:/var/run/docker.sock', `${project}:/srv/project:ro`]; // prettier-ignore
    docker('run', '-d', '--name', name, '--network', 'host', '--init', '--group-add', String(gid), ...settings, ...mounts.flatMap((mount) => ['-v', mount]), name); // prettier-ignore
    releaseAtEnd(() => docker('rm', '-f', name));
    await waitFor(() => docker('logs', name).includes('worker started'), {
      what: 'the worker',
      timeoutMs: 120_000,
    });
    expect(docker('exec', name, 'node', '/srv/worker-health.mjs')).toMatch(/^a worker of .* serves /);

    const client = await createClient({ config: await loadConfig({ cwd: project, env: given }) });
    releaseAtEnd(() => client[Symbol.asyncDispose]());
    const run = await client.start('shipped', { n: 1 });
    expect(await run.result()).toEqual({ n: 3, uid: user });

    docker('stop', '-t', '60', name);
    expect(docker('inspect', name, '--format', '{{.State.ExitCode}}')).toBe('0');
    expect(docker('logs', name)).toContain('draining');
  }, 1_200_000);
});
