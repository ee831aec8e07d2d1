import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { createDockerExecutor } from '../../../activities/executors/docker-executor.js';
import type { Execution, Executor } from '../../../activities/executors/executor.js';
import type { ResolvedImage } from '../../../sdk/protocol/messages.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { laidOut } from '../../support/start-watcher.js';
import type { TestEngine } from '../../support/start-engine.js';
import { startEngine } from '../../support/start-engine.js';
import { waitFor } from '../../support/wait-for.js';
import { loggedLines } from './executor-contract.js';

const counting = (to: number) =>
  `n=0; while [ $n -lt ${to} ]; do n=$((n+1)); echo $n; [ $((n % 5)) = 0 ] && sleep 0.1; done; echo $n >&2`;
const numbers = (to: number) => Array.from({ length: to }, (_, index) => `out ${index + 1}`);

describeWith({ docker: true, mount: true }, 'an engine that is restarted while a container runs', () => {
  let engine: TestEngine;
  let executor: Executor;
  let image: ResolvedImage;
  const { signal } = new AbortController();

  beforeAll(async () => {
    engine = await startEngine({ liveRestore: true }, ['busybox:latest']);
    const made = createDockerExecutor({ docker: engine.docker });
    executor = made;
    const reference = { kind: 'reference', reference: 'busybox:latest' } as const;
    image = await made.resolve({ image: reference, requirements: undefined, context: undefined }, { signal });
  });

  async function run(script: string) {
    const execution = await laidOut({ command: ['sh', '-c', script] }, image);
    releaseAtEnd(() => executor.release(execution));
    const ended = executor.execute(execution, { signal });
    ended.catch(() => undefined);
    return { execution, ended };
  }
  const logHas = (execution: Execution, text: string) =>
    waitFor(async () => (await readFile(execution.log, 'utf8')).includes(text), {
      what: `\`${text}\` in the log`,
    });

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'goes on with live-restore, and its watch with it (%s): no line is lost or doubled',
    async (how) => {
      const { execution, ended } = await run(counting(400));
      await logHas(execution, 'out 50\n');
      await engine.stop(how);
      await pause(1_000);
      await engine.start({ liveRestore: true });
      expect(await ended).toMatchObject({ reason: 'exited', exitCode: 0 });
      expect(await loggedLines(execution.log)).toEqual([...numbers(400), 'err 400']);
    },
  );

  test('takes an end that came while the engine was away', async () => {
    const { execution, ended } = await run('echo begun; sleep 3; exit 3');
    await logHas(execution, 'begun');
    await engine.stop();
    await pause(4_000);
    await engine.start({ liveRestore: true });
    expect(await ended).toMatchObject({ reason: 'exited', exitCode: 3 });
    expect(await loggedLines(execution.log)).toEqual(['out begun']);
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)('is lost without live-restore (%s)', async (how) => {
    await engine.stop();
    await engine.start({ liveRestore: false });
    const { execution, ended } = await run('echo begun; sleep 600');
    await logHas(execution, 'begun');
    await engine.stop(how);
    await engine.start({ liveRestore: false });
    await expect(ended).rejects.toMatchObject({ code: 'ATTEMPT_LOST' });
    await expect(ended).rejects.toThrow(/ended with the Docker engine.*live-restore/);
  });
});
