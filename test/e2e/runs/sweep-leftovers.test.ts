import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pino from 'pino';
import { connectDocker } from '../../../activities/executors/docker-connection.js';
import { labelsOf } from '../../../activities/executors/container-options.js';
import { markOf } from '../../../activities/executors/process-leftovers.js';
import { connectTemporal } from '../../../client/temporal-connection.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { stepEnvironment } from '../../../workers/step-environment.js';
import { sweepLeftovers } from '../../../workers/sweep-leftovers.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  's.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
const none = z.object({});
export const boxed = step({ name: 'boxed', image: 'busybox:latest', command: ['sleep', '600'], input: none, output: none, resources: { cpus: 0.1 } });
export const apart = step({ name: 'apart', isolation: 'process', command: ['sleep', '600'], input: none, output: none, resources: { cpus: 0.1 } });`,
  's.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { apart, boxed } from './s.steps.js';
export const both = pipeline({ name: 'both', input: z.object({}) }, async () => { await Promise.all([apart({}), boxed({})]); });`,
};

describeWith({ temporal: true, docker: true }, 'the sweep of one worker', () => {
  test("leaves alone what another worker's steps and another service's runs have, and removes the rest", async () => {
    const {
      config,
      client,
      temporal: service,
      startHost,
    } = await startMillrace({
      files,
      env: { MILLRACE_EXECUTOR: 'docker' },
    });
    const { installation } = config;
    const docker = connectDocker();
    const temporal = await connectTemporal(config, { address: service.address });
    releaseAtEnd(() => temporal.connection.close());
    const catalog = await openCatalog(config.catalog);
    releaseAtEnd(() => catalog[Symbol.asyncDispose]());
    const env = stepEnvironment({
      config,
      service: temporal.service,
      store: await openArtifactStore(config.store),
      catalog,
      logger: pino({ level: 'silent' }),
      draining: new AbortController().signal,
    });

    const run = await client.start('both', {});
    const of = (step: string, attempt = 1, id = run.id) => ({
      installation,
      run: id,
      step,
      attempt,
      key: 'key',
    });
    const running = await waitFor(
      async () => {
        const filters = { label: [`millrace.run=${run.id}`] };
        const [found] = await docker.listContainers({ filters });
        const { steps } = await run.view();
        return steps.filter(({ status }) => status === 'running').length === 2 && found;
      },
      { what: 'both steps to run' },
    );

    const { id: _, ...known } = (await catalog.run(run.id))!;
    await catalog.insertRun({ ...known, id: 'elsewhere', service: 'another' });
    await catalog.insertRun({ ...known, id: 'forgotten' });
    const containerOf = async (whose: ReturnType<typeof of>) => {
      const made = await docker.createContainer({
        Image: 'busybox:latest',
        Cmd: ['sleep', '600'],
        Labels: labelsOf(whose),
      });
      releaseAtEnd(() => made.remove({ force: true }).catch(() => undefined));
      return made.id;
    };
    const processOf = (whose: ReturnType<typeof of>) => {
      const child = spawn('sleep', ['600'], {
        env: { PATH: process.env['PATH'], ...markOf(whose) },
        detached: true,
      });
      releaseAtEnd(() => child.kill('SIGKILL'));
      return child;
    };
    const kept = [running.Id, await containerOf(of('boxed', 1, 'elsewhere'))];
    const session = await deadSession(env.paths.sessions, installation);
    const removed = [
      await containerOf({ ...of('boxed'), installation: session.installation }),
      await containerOf(of('boxed', 0)),
      await containerOf(of('gone')),
      await containerOf(of('boxed', 1, 'forgotten')),
      await containerOf(of('boxed', 1, 'unknown')),
    ];
    const [far, superseded] = [processOf(of('apart', 1, 'elsewhere')), processOf(of('apart', 0))];

    await sweepLeftovers(env, temporal.client);
    // Another whole worker host sweeps when it starts.
    const other = await startHost({ build: 'none' });
    const there = new Set((await docker.listContainers({ all: true })).map(({ Id }) => Id));
    expect(kept.map((id) => there.has(id))).toEqual([true, true]);
    expect(removed.filter((id) => there.has(id))).toEqual([]);
    expect(await readdir(env.paths.sessions)).toEqual([]);
    await waitFor(() => superseded.signalCode === 'SIGKILL', { what: 'the superseded process to end' });
    expect(far.signalCode).toBeNull();
    const { steps } = await run.view();
    // Both were called at once: which comes first says nothing.
    expect(steps.map(({ path, status, attempts }) => `${path} ${status} ${attempts.length}`).sort()).toEqual([
      'apart running 1',
      'boxed running 1',
    ]);

    // The same attempt, begun by a host that was lost before anybody had heard that it ran there.
    const twice = { ...env, installation: `${installation}-twice` };
    const double = await containerOf({ ...of('boxed'), installation: twice.installation });
    await waitFor(
      async () => {
        await sweepLeftovers(twice, temporal.client);
        return !(await docker.listContainers({ all: true })).some(({ Id }) => Id === double);
      },
      { what: 'the attempt to run on one host only' },
    );
    expect((await docker.getContainer(running.Id).inspect()).State.Running).toBe(true);
    await other.stop();
    await run.cancel();
    await expect(run.result()).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
  });
});

/** What a person tried, whose process was killed two minutes ago. */
async function deadSession(
  sessions: string,
  installation: string,
): Promise<{ readonly installation: string }> {
  const child = spawn('true');
  await once(child, 'exit');
  const mark = { installation: `${installation}-session-dead`, pid: child.pid };
  const file = path.join(sessions, 'dead', 'session.json');
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(mark));
  await utimes(file, new Date(), new Date(Date.now() - 120_000));
  return mark;
}
