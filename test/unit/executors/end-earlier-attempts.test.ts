import type { ServerResponse } from 'node:http';
import { labelsOf } from '../../../activities/executors/container-options.js';
import type { EarlierAttempts } from '../../../activities/executors/end-earlier-attempts.js';
import { endEarlierAttempts } from '../../../activities/executors/end-earlier-attempts.js';
import { testInstallation } from '../../support/execution.js';
import type { EngineAnswers } from '../../support/fake-engine.js';
import { fakeEngine } from '../../support/fake-engine.js';
import { connectDocker } from '../../../activities/executors/docker-connection.js';

const step = `end-earlier-${process.pid}`;
const patience = { answerMs: 20_000, afterAbortMs: 50, removeMs: 10_000 };
const hasty = { patience: { ...patience, answerMs: 200 } };
const of = (attempt: number) => ({ installation: testInstallation, run: 'run-1', step, attempt });
const container = (Id: string, State = 'running', attempt = 1) => ({
  Id,
  State,
  Labels: labelsOf({ ...of(attempt), key: 'k' }),
});
/** One list after another, the last one for ever. */
function lists(...answers: readonly (readonly object[])[]) {
  let asked = 0;
  return (answer: ServerResponse) =>
    void answer
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify(answers[Math.min(asked++, answers.length - 1)]));
}

async function ending(answers: EngineAnswers, given: Partial<EarlierAttempts> = {}) {
  const { docker, calls } = await fakeEngine(answers);
  const signal = new AbortController().signal;
  const ended = endEarlierAttempts({ ...of(2), executor: 'docker', docker, signal, patience, ...given }); // prettier-ignore
  ended.catch(() => undefined);
  return { ended, calls };
}

test('an engine that does not list its containers keeps the next attempt from starting', async () => {
  const { ended } = await ending({}, hasty);
  await expect(ended).rejects.toMatchObject({
    code: 'INFRASTRUCTURE_FAILED',
    what: 'Docker did not list the containers of earlier attempts within 0.2 s.',
  });
});

test('so does one that says no, and one that is not there', async () => {
  const { ended } = await ending({
    'GET /containers/json': { status: 500, json: { message: 'out of order' } },
  });
  await expect(ended).rejects.toMatchObject({ code: 'INFRASTRUCTURE_FAILED' });
  const away = { docker: connectDocker({ DOCKER_HOST: 'unix:///nowhere/docker.sock' }), patience };
  const { signal } = new AbortController();
  await expect(endEarlierAttempts({ ...of(2), executor: 'docker', signal, ...away })).rejects.toMatchObject({
    code: 'DOCKER_UNAVAILABLE',
  });
  // A step that runs as a process needs none.
  await endEarlierAttempts({ ...of(2), executor: 'process', signal, ...away });
});

test('so does a container that cannot be removed and runs on', async () => {
  const { ended, calls } = await ending(
    {
      'GET /containers/json': lists([container('abc'), container('later', 'running', 2)]),
      'DELETE /containers/abc': { status: 500, json: { message: 'device or resource busy' } },
    },
    { withinMs: 250 },
  );
  await expect(ended).rejects.toMatchObject({
    code: 'INFRASTRUCTURE_FAILED',
    what: 'An earlier attempt still runs on this host and cannot be ended: container abc.',
    cause: { statusCode: 500 },
  });
  expect(calls.filter((call) => call === 'DELETE /containers/abc').length).toBeGreaterThan(1);
  expect(calls).not.toContain('DELETE /containers/later');
});

test('a container is looked at again until it is gone', async () => {
  const { ended, calls } = await ending({
    'GET /containers/json': lists([container('abc')], [container('abc')], []),
    'DELETE /containers/abc': { status: 409, json: { message: 'removal is already in progress' } },
  });
  await ended;
  expect(calls.filter((call) => call.startsWith('GET'))).toHaveLength(3);
});

test('one that has ended and cannot be removed is in nobody’s way', async () => {
  const { ended, calls } = await ending({
    'GET /containers/json': lists([container('abc', 'exited')]),
    'DELETE /containers/abc': { status: 500, json: { message: 'device or resource busy' } },
  });
  await ended;
  expect(calls).toContain('DELETE /containers/abc');
});

test('an attempt that is cancelled meanwhile does not wait', async () => {
  const controller = new AbortController();
  const { ended } = await ending({}, { signal: controller.signal });
  controller.abort(new Error('cancelled'));
  await expect(ended).rejects.toThrow('cancelled');
});
