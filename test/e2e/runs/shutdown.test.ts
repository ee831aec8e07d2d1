import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { labelsOf } from '../../../activities/executors/container-options.js';
import { stepProcesses } from '../../../activities/executors/process-leftovers.js';
import type { RunHandle } from '../../../client/index.js';
import { describeWith } from '../../support/describe-with.js';
import { fakeEngine } from '../../support/fake-engine.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { startCli } from '../../support/run-cli.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'stay.steps.ts': `
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { step } from 'millrace';
import { z } from 'zod';
export const stay = step({ name: 'stay', isolation: 'process', retry: { attempts: 1 }, input: z.object({ folder: z.string() }), output: z.object({ attempt: z.number(), resumed: z.boolean() }) },
  async ({ folder }, { attempt, checkpoint, signal }) => {
    const saved = checkpoint + '/epoch';
    const resumed = existsSync(saved);
    writeFileSync(saved, 'one');
    writeFileSync(folder + '/running-' + attempt, '');
    while (attempt === 1 && !existsSync(folder + '/go')) await pause(50, undefined, { signal });
    return { attempt, resumed };
  });`,
  'stay.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { stay } from './stay.steps.js';
export const staying = pipeline({ name: 'staying', input: z.object({ folder: z.string() }) }, async (input) => stay(input));`,
};

describeWith({ temporal: true }, 'a worker that is asked to stop', () => {
  let millrace: TestMillrace;
  let run: RunHandle;
  const at = (name: string) => path.join(millrace.project, name);

  beforeAll(async () => {
    millrace = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process' } });
    await millrace.host.stop();
  });

  async function workerWithStep(grace: string) {
    for (const name of ['go', 'running-1', 'running-2']) await rm(at(name), { force: true });
    const worker = await startCli(['worker', '--cwd', millrace.project], {
      env: {
        TEMPORAL_ADDRESS: millrace.temporal.address,
        MILLRACE_EXECUTOR: 'process',
        MILLRACE_QUEUE: millrace.config.queue,
        MILLRACE_SHUTDOWN_GRACE: grace,
      },
    });
    releaseAtEnd(() => worker[Symbol.asyncDispose]());
    run = await millrace.client.start('staying', { folder: millrace.project });
    await waitFor(() => existsSync(at('running-1')), { what: 'the step to run', timeoutMs: 60_000 });
    return worker;
  }

  const draining = (worker: Awaited<ReturnType<typeof workerWithStep>>) =>
    waitFor(() => /draining/.test(worker.stderr() + worker.stdout()), { what: 'the worker to drain' });

  test('lets a running step end within its grace time, and takes no other', async () => {
    const worker = await workerWithStep('60 s');
    worker.kill('SIGTERM');
    await draining(worker);
    const later = await millrace.client.start('staying', { folder: millrace.project });
    await writeFile(at('go'), '');
    expect((await worker.ended).exitCode).toBe(0);
    const { steps } = await run.view();
    expect(steps).toMatchObject([{ status: 'completed', attempts: [{ attempt: 1, status: 'completed' }] }]);
    expect((await later.view()).steps.flatMap(({ attempts }) => attempts)).toEqual([]);
    await later.cancel();
  });

  test("cancels it after that, at no cost to the author's attempts: another worker goes on from its checkpoint", async () => {
    const worker = await workerWithStep('1 s');
    worker.kill('SIGTERM');
    expect((await worker.ended).exitCode).toBe(0);
    expect(await stepProcesses(millrace.config.installation)).toEqual([]);
    expect((await run.view()).steps).toMatchObject([
      { status: 'retrying', attempts: [{ attempt: 1, failure: { code: 'ATTEMPT_PREEMPTED' } }] },
    ]);
    const host = await millrace.startHost();
    expect(await run.result()).toEqual({ attempt: 2, resumed: true });
    await host.stop();
  });

  test('ends at once at a second signal, and the next attempt begins when no process of this one is left', async () => {
    const worker = await workerWithStep('60 s');
    worker.kill('SIGTERM');
    await draining(worker);
    worker.kill('SIGTERM');
    expect((await worker.ended).exitCode).toBe(130);
    expect(await stepProcesses(millrace.config.installation)).toMatchObject([{ run: run.id, attempt: 1 }]);
    const host = await millrace.startHost();
    await waitFor(() => existsSync(at('running-2')), { what: 'the second attempt', timeoutMs: 60_000 });
    const left = await stepProcesses(millrace.config.installation);
    expect(left.filter(({ attempt }) => attempt === 1)).toEqual([]);
    expect(await run.result()).toEqual({ attempt: 2, resumed: true });
    await host.stop();
  });

  test('drains though its sweep waits for an engine that does not answer', async () => {
    const { installation } = millrace.config;
    const Labels = labelsOf({ installation, run: 'gone', step: 'gone', attempt: 1, key: 'key' });
    const engine = await fakeEngine({
      'GET /containers/json': { status: 200, json: [{ Id: 'stuck', Labels }] },
    });
    const { DOCKER_HOST } = process.env;
    process.env['DOCKER_HOST'] = `unix://${engine.socketPath}`;
    try {
      const host = await millrace.startHost();
      await waitFor(() => engine.calls.includes('DELETE /containers/stuck'), { what: 'the sweep to wait' });
      for (const name of ['go', 'running-1', 'running-2']) await rm(at(name), { force: true });
      run = await millrace.client.start('staying', { folder: millrace.project });
      await waitFor(() => existsSync(at('running-1')), { what: 'the step to run' });
      const stopped = host.stop();
      // The sweep alone gives the engine 15 s.
      await waitFor(async () => (await run.view()).steps[0]?.status === 'retrying', {
        what: 'the step to be handed over',
        timeoutMs: 10_000,
      });
      await stopped;
      await run.cancel();
    } finally {
      if (DOCKER_HOST === undefined) delete process.env['DOCKER_HOST'];
      else process.env['DOCKER_HOST'] = DOCKER_HOST;
    }
  });
});
