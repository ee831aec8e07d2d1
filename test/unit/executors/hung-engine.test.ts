import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { createDockerExecutor } from '../../../activities/executors/docker-executor.js';
import { labelsOf } from '../../../activities/executors/container-options.js';
import type { Execution } from '../../../activities/executors/executor.js';
import { secretsPrefix, secretsRoot } from '../../../activities/executors/secret-files.js';
import { sweep } from '../../../activities/executors/sweep.js';
import { executionOf, testInstallation } from '../../support/execution.js';
import type { EngineAnswers } from '../../support/fake-engine.js';
import { fakeEngine } from '../../support/fake-engine.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

const image = { reference: 'any:1', id: `sha256:${'1'.repeat(64)}` } as const;
const patience = { answerMs: 300, afterAbortMs: 100, removeMs: 100 };
const grace = { unansweredMs: 100 };

const known: EngineAnswers = { [`GET /images/${image.id}/json`]: { status: 200, json: { Config: {} } } };
const created: EngineAnswers = { ...known, 'POST /containers/create': { status: 201, json: { Id: 'abc' } } };
const started: EngineAnswers = { ...created, 'POST /start': { status: 204 } };

async function tryOn(answers: EngineAnswers, given: Partial<Execution> = {}) {
  const engine = await fakeEngine(answers);
  const executor = createDockerExecutor({ docker: engine.docker, patience, grace });
  const root = await temporaryFolder();
  const controller = new AbortController();
  const execution = executionOf(
    { command: ['true'], stopGrace: 100 },
    { image, folder: path.join(root, 'attempt'), log: path.join(root, 'log'), ...given },
  );
  const { signal } = controller;
  return {
    engine,
    controller,
    ended: executor.execute(execution, { signal, takeUp: false }),
    release: () => executor.release(execution),
  };
}

const token = [{ name: 'TOKEN', value: 'tops3cret', env: true }];
const hangs: [string, EngineAnswers, RegExp, Partial<Execution>][] = [
  ['looking at the image', {}, /Docker did not look at the image within 0.3 s/, {}],
  ['creating', known, /Docker did not create the container within/, {}],
  ['looking for a shell', created, /Docker did not look for \/bin\/sh within/, { secrets: token }],
  ['starting', created, /Docker did not start the container within/, {}],
];

describe('an engine that hangs', () => {
  test.each(hangs)('while %s fails the attempt as infrastructure', async (_, answers, says, given) => {
    const { ended } = await tryOn(answers, given);
    await expect(ended).rejects.toMatchObject({ code: 'INFRASTRUCTURE_FAILED' });
    await expect(ended).rejects.toThrow(says);
  });

  test.each(hangs)('while %s does not hold up a cancelled step', async (_, answers, _says, given) => {
    const { ended, controller, engine } = await tryOn(answers, given);
    const asked = Object.keys(answers).length;
    await waitFor(() => engine.calls.length > asked, { what: 'the call that hangs', intervalMs: 5 });
    controller.abort(new Error('cancelled'));
    expect(await ended).toMatchObject({ reason: 'cancelled' });
  });

  test('with a program in it is given up when neither signal has an answer', async () => {
    const { ended, controller, engine, release } = await tryOn(started);
    await waitFor(() => engine.calls.includes('POST /containers/abc/wait'), { what: 'the program to run' });
    controller.abort(new Error('cancelled'));
    expect(await ended).toMatchObject({ reason: 'cancelled', exitCode: undefined });
    const kills = engine.calls.filter((call) => call === 'POST /containers/abc/kill');
    expect(kills).toHaveLength(2);
    await release();
    expect(engine.calls.at(-1)).toMatch(/^DELETE \/containers\/millrace-try-2-1-/);
  });

  test("with a program in it ends the step at the step's own time limit", async () => {
    const { spec } = executionOf({ command: ['true'] });
    const { ended } = await tryOn(started, { spec: { ...spec, timeoutMs: 100 } });
    expect(await ended).toMatchObject({ reason: 'timeout' });
  });

  test('keeps no files of secrets', async () => {
    const { ended } = await tryOn(known, { secrets: token });
    await expect(ended).rejects.toThrow(/create the container/);
    const left = (await readdir(secretsRoot())).filter((name) =>
      name.startsWith(secretsPrefix(testInstallation)),
    );
    expect(left).toEqual([]);
  });

  test('is not asked again for images for ever', async () => {
    const { docker } = await fakeEngine({});
    const executor = createDockerExecutor({ docker, patience });
    const request = {
      image: { kind: 'reference', reference: 'any:1' },
      requirements: undefined,
      context: undefined,
    } as const;
    const resolved = executor.resolve(request, { signal: new AbortController().signal });
    await expect(resolved).rejects.toThrow(/did not look at the image within/);
  });
});

describe('the sweep of an engine that cannot remove a container', () => {
  const labels = (run: string) =>
    labelsOf({ installation: testInstallation, run, step: 's', attempt: 1, key: 'k' });
  const two: EngineAnswers = {
    'GET /containers/json': {
      status: 200,
      json: ['stuck', 'other'].map((Id) => ({ Id, Labels: labels(Id) })),
    },
    'DELETE /containers/other': { status: 204 },
  };
  const isLive = () => Promise.resolve(false);

  test('goes on to the next, and comes to its end', async () => {
    const { docker, calls } = await fakeEngine(two);
    await sweep({ installation: testInstallation, isLive, docker, removeMs: 100 });
    expect(calls.slice(1)).toEqual(['DELETE /containers/stuck', 'DELETE /containers/other']);
  });

  test('ends after it when the host stops', async () => {
    const { docker, calls } = await fakeEngine(two);
    const controller = new AbortController();
    const swept = sweep({
      installation: testInstallation,
      isLive,
      docker,
      removeMs: 100,
      signal: controller.signal,
    });
    await waitFor(() => calls.includes('DELETE /containers/stuck'), { what: 'the first removal' });
    controller.abort();
    await swept;
    expect(calls).not.toContain('DELETE /containers/other');
  });
});
