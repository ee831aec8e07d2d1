import { execFileSync } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { containerName } from '../../../activities/executors/container-name.js';
import { createDockerExecutor } from '../../../activities/executors/docker-executor.js';
import { connectDocker } from '../../../activities/executors/docker-connection.js';
import type { ExecuteOptions, Execution, ExecutionEnd } from '../../../activities/executors/executor.js';
import { secretsRoot } from '../../../activities/executors/secret-files.js';
import type { ResolvedImage } from '../../../sdk/protocol/messages.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { laidOut, startWatcher } from '../../support/start-watcher.js';
import { waitFor } from '../../support/wait-for.js';
import { loggedLines } from './executor-contract.js';

/** Prints `out N` and `err N` in turn, each tenth line longer than the engine's 16 KiB, and no line end after the last. */
const chatty = (lines: number) => `
import sys, time
for n in range(1, ${lines} + 1):
    sys.stdout.write('%d %s\\n' % (n, 'x' * (50_000 if n % 10 == 0 else 20)))
    sys.stdout.flush()
    sys.stderr.write('%d\\n' % n)
    sys.stderr.flush()
    if n % 20 == 0: time.sleep(0.04)
sys.stdout.write('the end')
`;

describeWith({ docker: true }, 'a container whose worker is gone', () => {
  const docker = connectDocker();
  const executor = createDockerExecutor({ docker });
  const { signal } = new AbortController();
  let python: ResolvedImage;

  beforeAll(async () => {
    python = await executor.resolve(
      {
        image: { kind: 'reference', reference: 'python:3.12-slim' },
        requirements: undefined,
        context: undefined,
      },
      { signal },
    );
  });

  const attempt = async (script: string, options: Parameters<typeof laidOut>[0] = {}, given = {}) => {
    const execution = await laidOut({ command: ['python3', '-c', script], ...options }, python, given);
    releaseAtEnd(() => executor.release(execution));
    return execution;
  };
  const sh = (script: string, options: Parameters<typeof laidOut>[0] = {}) =>
    attempt('', { ...options, command: ['sh', '-c', script] });
  const takeUp = (execution: Execution, options: Partial<ExecuteOptions> = {}): Promise<ExecutionEnd> =>
    createDockerExecutor().execute(execution, { signal, ...options });
  const logHas = (execution: Execution, text: string) =>
    waitFor(async () => (await readFile(execution.log, 'utf8')).includes(text), {
      what: `\`${text}\` in the log`,
    });
  const stateOf = async (execution: Execution) =>
    (await docker.getContainer(containerName(execution)).inspect()).State;

  /** Follows it in another process, which is killed after its log has this. */
  async function watchUntil(execution: Execution, text: string): Promise<void> {
    const watcher = await startWatcher(execution);
    await logHas(execution, text);
    watcher.kill('SIGKILL');
    await watcher.ended;
  }

  test('is followed to its end by the next: no line is lost or doubled, long ones are whole', async () => {
    const lines = 2_000;
    const execution = await attempt(chatty(lines));
    for (const text of ['out 40 ', 'out 300 ', 'err 700\n']) {
      await watchUntil(execution, text);
      // It prints while nobody watches.
      await pause(500);
    }
    expect(await executor.find(execution, { signal })).toBe('begun');
    const end = await takeUp(execution);
    expect(end).toMatchObject({ reason: 'exited', exitCode: 0 });
    expect(end.durationMs).toBeGreaterThan(4_000);
    expect(end.cpuSeconds).toBeGreaterThan(0);
    const log = await loggedLines(execution.log);
    const numbers = (source: string) =>
      log.filter((line) => line.startsWith(source)).map((line) => Number(line.split(' ')[1]));
    const expected = Array.from({ length: lines }, (_, index) => index + 1);
    expect(numbers('err')).toEqual(expected);
    expect(numbers('out').slice(0, -1)).toEqual(expected);
    expect(log.at(-1)).toBe('out the end');
    const long = log.filter((line) => line.length > 1_000);
    expect(long).toHaveLength(lines / 10);
    expect(new Set(long.map((line) => line.split(' ')[2]))).toEqual(new Set(['x'.repeat(50_000)]));
  });

  test('that ended meanwhile gives its end and its whole output', async () => {
    const execution = await sh('echo begun; sleep 2; echo done; exit 3');
    await watchUntil(execution, 'begun');
    await waitFor(async () => (await stateOf(execution)).Status === 'exited', { what: 'its end' });
    const end = await takeUp(execution);
    expect(end).toMatchObject({ reason: 'exited', exitCode: 3 });
    expect(end.durationMs).toBeGreaterThan(1_900);
    expect(end.durationMs).toBeLessThan(20_000);
    expect(await loggedLines(execution.log)).toEqual(['out begun', 'out done']);
    // Its end may be taken again, as long as it was not released.
    expect(await takeUp(execution)).toEqual(end);
    expect(await loggedLines(execution.log)).toEqual(['out begun', 'out done']);
    await executor.release(execution);
    expect(await executor.find(execution, { signal })).toBe('absent');
  });

  test('that ended before and after what nobody saw: out of memory, a signal, its time', async () => {
    const hungry = await attempt(
      'import time; print("begun", flush=True); time.sleep(1.5)\nheld = []\nwhile True: held.append(bytearray(8_000_000))',
      { resources: { memory: '64MiB' } },
    );
    const killed = await sh('echo begun; sleep 60');
    const late = await sh('echo begun; sleep 2; exit 143', { timeout: '1s' });
    await Promise.all([hungry, killed, late].map((execution) => watchUntil(execution, 'begun')));
    await docker.getContainer(containerName(killed)).kill();
    await waitFor(
      async () => {
        const states = await Promise.all([hungry, killed, late].map(stateOf));
        return states.every(({ Status }) => Status === 'exited');
      },
      { what: 'their ends' },
    );
    const ends = await Promise.all([hungry, killed, late].map((execution) => takeUp(execution)));
    expect(ends.map(({ reason }) => reason)).toEqual(['out-of-memory', 'stopped-outside', 'timeout']);
  });

  test('has its time counted from its own start', async () => {
    const execution = await sh('echo begun; sleep 60', { timeout: '4s' });
    await watchUntil(execution, 'begun');
    await pause(2_500);
    const from = performance.now();
    const end = await takeUp(execution);
    expect(end.reason).toBe('timeout');
    expect(performance.now() - from).toBeLessThan(3_500);
    expect(end.durationMs).toBeGreaterThan(3_900);
  });

  test('is left on request: it goes on, and the next takes it up', async () => {
    const execution = await sh('echo begun; printf half; sleep 2; echo " and half"');
    const leave = new AbortController();
    const left = takeUp(execution, { leave: leave.signal });
    await logHas(execution, 'begun');
    leave.abort();
    expect(await left).toMatchObject({ reason: 'left', exitCode: undefined });
    expect((await stateOf(execution)).Running).toBe(true);
    expect(await loggedLines(execution.log)).toEqual(['out begun']);
    expect(await takeUp(execution)).toMatchObject({ reason: 'exited', exitCode: 0 });
    expect(await loggedLines(execution.log)).toEqual(['out begun', 'out half and half']);
  });

  test('is not left while it is being stopped: how it ends is known', async () => {
    const execution = await sh('trap "sleep 1; exit 7" TERM; echo begun; while :; do sleep 0.1; done');
    const leave = new AbortController();
    const stop = new AbortController();
    const ended = takeUp(execution, { leave: leave.signal, signal: stop.signal });
    await logHas(execution, 'begun');
    stop.abort();
    leave.abort();
    expect(await ended).toMatchObject({ reason: 'cancelled', exitCode: 7 });
  });

  test('is made anew when it was never started', async () => {
    const execution = await sh('echo "from the new one"');
    await docker.createContainer({ name: containerName(execution), Image: python.id, Cmd: ['false'] });
    expect(await executor.find(execution, { signal })).toBe('prepared');
    expect(await takeUp(execution)).toMatchObject({ exitCode: 0 });
    expect(await loggedLines(execution.log)).toEqual(['out from the new one']);
  });

  test('is removed, not followed, where an attempt begins its life once more', async () => {
    const execution = await sh('echo "from $(cat /proc/sys/kernel/random/uuid)"');
    await takeUp(execution);
    expect(await takeUp(execution, { takeUp: false })).toMatchObject({ exitCode: 0 });
    const log = await loggedLines(execution.log);
    expect(new Set(log).size).toBe(2);
    expect(log).toHaveLength(2);
  });

  test('keeps hiding its secrets when they have been replaced since, and leaves none', async () => {
    const given = { secrets: [{ name: 'TOKEN', value: 'tops3cret-one', env: true }] };
    const script = 'echo begun; sleep 2; echo "it is $TOKEN"';
    const execution = await attempt('', { command: ['sh', '-c', script] }, given);
    await watchUntil(execution, 'begun');
    const renewed = { ...execution, secrets: [{ name: 'TOKEN', value: 'tops3cret-two', env: true }] };
    expect(await takeUp(renewed)).toMatchObject({ exitCode: 0 });
    expect(await loggedLines(execution.log)).toEqual(['out begun', 'out it is ***']);
    const { Mounts } = await docker.getContainer(containerName(execution)).inspect();
    const values = Mounts.map(({ Source }) => Source ?? '').find((each) => each.startsWith(secretsRoot()));
    await stat(values!);
    await executor.release(execution);
    await expect(stat(values!)).rejects.toThrow(/ENOENT/);
  });

  test('tells of a stop from outside, and of a container that was taken away', async () => {
    const stopped = await sh('echo begun; sleep 60');
    const killed = await sh('echo begun; sleep 60');
    const removed = await sh('echo begun; sleep 60');
    const ends = [stopped, killed, removed].map((execution) => takeUp(execution));
    ends.forEach((end) => void end.catch(() => undefined));
    for (const execution of [stopped, killed, removed]) await logHas(execution, 'begun');
    execFileSync('docker', ['stop', containerName(stopped)], { stdio: 'ignore' });
    execFileSync('docker', ['kill', containerName(killed)], { stdio: 'ignore' });
    execFileSync('docker', ['rm', '-f', containerName(removed)], { stdio: 'ignore' });
    expect(await ends[0]).toMatchObject({ reason: 'stopped-outside', exitCode: 143 });
    expect(await ends[1]).toMatchObject({ reason: 'stopped-outside', exitCode: 137 });
    await expect(ends[2]).rejects.toMatchObject({ code: 'ATTEMPT_LOST' });
  });
});
