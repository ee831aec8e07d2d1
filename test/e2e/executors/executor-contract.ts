import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Execution, ExecutionEnd, Executor } from '../../../activities/executors/executor.js';
import { secretsPrefix, secretsRoot } from '../../../activities/executors/secret-files.js';
import type { ResolvedImage } from '../../../sdk/protocol/messages.js';
import type { Resources } from '../../../sdk/step-options.js';
import { executionOf, testInstallation } from '../../support/execution.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

export type Tried = {
  readonly end: ExecutionEnd;
  /** Lines of the log without their times. */
  readonly log: readonly string[];
  readonly folder: string;
};

export type TryOptions = {
  readonly command: readonly string[];
  readonly options?: Parameters<typeof executionOf>[0];
  readonly given?: Partial<Execution>;
  readonly signal?: AbortSignal;
  readonly onDetail?: (detail: string) => void;
  /** Called with the folder before the program starts. */
  readonly layOut?: (folder: string) => Promise<void>;
};

/** Runs one program with the executor, in a folder laid out as the activity does it. */
export type Try = (options: TryOptions) => Promise<Tried>;

export function tryWith(executor: Executor, image?: ResolvedImage): Try {
  return async ({ command, options = {}, given = {}, signal, onDetail, layOut }) => {
    const root = await temporaryFolder();
    const folder = path.join(root, 'attempt');
    for (const name of ['in', 'out', 'checkpoint']) await mkdir(path.join(folder, name), { recursive: true });
    await writeFile(path.join(folder, 'input.json'), '{"trees":100}');
    await writeFile(path.join(folder, 'in/table'), 'a,b\n1,2\n');
    await layOut?.(folder);
    const log = path.join(root, 'step.log');
    const execution = executionOf(
      { ...options, command },
      { folder, log, image, command: () => command, ...given },
    );
    try {
      const end = await executor.execute(execution, {
        signal: signal ?? new AbortController().signal,
        ...(onDetail && { onDetail }),
      });
      return { end, log: await loggedLines(log), folder };
    } finally {
      await executor.release(execution);
    }
  };
}

/** Lines of a log without their times. */
export async function loggedLines(log: string): Promise<readonly string[]> {
  const lines = (await readFile(log, 'utf8')).split('\n').slice(0, -1);
  return lines.map((line) => line.slice(line.indexOf(' ') + 1));
}

export type ContractOptions = {
  readonly attempt: () => Try;
  /** A python program the executor's steps can start. */
  readonly python: string;
  /** Names in the environment of every step beside the contract's. */
  readonly environment: () => readonly string[] | Promise<readonly string[]>;
  /** The user that must own what steps write. */
  readonly uid: number;
};

const sh = (script: string): readonly string[] => ['sh', '-c', script];
const small = (resources: Resources) => ({
  resources: { cpus: 0.5, memory: '64MiB', ...resources } as const,
});

/** What every executor keeps to. */
export function executorContract({ attempt, python, environment, uid }: ContractOptions): void {
  const run: Try = (options) => attempt()(options);

  test('gives the exit code, the time and both streams, also without a last line end', async () => {
    const { end, log } = await run({ command: sh('echo one; echo two >&2; printf "no end"; exit 3') });
    expect(end).toMatchObject({ reason: 'exited', exitCode: 3 });
    expect(end.durationMs).toBeGreaterThan(0);
    expect([...log].sort()).toEqual(['err two', 'out no end', 'out one']);
  });

  test('keeps every line of a program that prints much and ends at once', async () => {
    const { log } = await run({ command: sh('seq 1 20000') });
    expect(log).toHaveLength(20_000);
    expect(log.at(-1)).toBe('out 20000');
  });

  test('keeps bytes that are no text from breaking the log', async () => {
    const { end, log } = await run({ command: sh(String.raw`printf 'a\377\376b\0c\n'`) });
    expect(end.exitCode).toBe(0);
    expect(log).toEqual(['out a\uFFFD\uFFFDb\0c']);
  });

  test('lets the step read its inputs and write outputs, checkpoint, events and output.json, owned by the worker', async () => {
    const { end, folder, log } = await run({
      command: sh(
        'cat "$MILLRACE_DIR/in/table" "$MILLRACE_DIR/input.json"; cd "$MILLRACE_DIR"; mkdir out/model; echo weights > out/model/w;' +
          ' echo 1 > checkpoint/epoch; echo "{}" >> events.jsonl; echo "{}" > .tmp && mv .tmp output.json',
      ),
    });
    expect(log).toEqual(['out a,b', 'out 1,2', 'out {"trees":100}']);
    expect(end.exitCode).toBe(0);
    for (const name of ['out/model/w', 'checkpoint/epoch', 'events.jsonl', 'output.json']) {
      expect((await stat(path.join(folder, name))).uid).toBe(uid);
    }
    expect(await readFile(path.join(folder, 'out/model/w'), 'utf8')).toBe('weights\n');
  });

  test('runs a program in the source folder, else in the folder of the step', async () => {
    const source = await temporaryFolder();
    // As the store places trees: readable by any user.
    await chmod(source, 0o755);
    await writeFile(path.join(source, 'hello.txt'), 'from the source\n');
    expect((await run({ command: ['cat', 'hello.txt'], given: { source } })).log).toEqual([
      'out from the source',
    ]);
    expect((await run({ command: ['cat', 'input.json'] })).log).toEqual(['out {"trees":100}']);
  });

  test('finds the Python helper', async () => {
    const { log } = await run({ command: [python, '-c', 'import millrace; print(millrace.inputs.trees)'] });
    expect(log).toEqual(['out 100']);
  });

  test('tells of a program that is not there with exit code 127 and a line in the log', async () => {
    const { end, log } = await run({ command: ['no-such-program'] });
    expect(end).toMatchObject({ reason: 'exited', exitCode: 127 });
    expect(log.join('\n')).toContain('no-such-program');
  });

  test('ends a program that runs too long', async () => {
    const { end } = await run({ command: ['sleep', '60'], options: { timeout: '1s' } });
    expect(end.reason).toBe('timeout');
    expect(end.durationMs).toBeGreaterThanOrEqual(900);
    expect(end.durationMs).toBeLessThan(9_000);
  });

  test('ends a program by SIGTERM when it is cancelled, and keeps what it then prints', async () => {
    const controller = new AbortController();
    const script =
      'trap "echo tidying; exit 7" TERM; touch "$MILLRACE_DIR/out/ready"; while :; do sleep 0.1; done';
    const { end, log } = await run({
      command: sh(script),
      signal: controller.signal,
      layOut: async (folder) => void abortWhenReady(folder, controller),
    });
    expect(end).toMatchObject({ reason: 'cancelled', exitCode: 7 });
    expect(log).toContain('out tidying');
  });

  test('kills a program that ignores SIGTERM after 10 s', async () => {
    const controller = new AbortController();
    const from = performance.now();
    const { end } = await run({
      command: sh('trap "" TERM; touch "$MILLRACE_DIR/out/ready"; while :; do sleep 0.1; done'),
      signal: controller.signal,
      layOut: async (folder) => void abortWhenReady(folder, controller),
    });
    expect(end).toMatchObject({ reason: 'cancelled', exitCode: 137 });
    expect(performance.now() - from).toBeGreaterThan(10_000);
  });

  test('starts nothing for a signal that has aborted', async () => {
    const { end, log } = await run({ command: sh('echo started'), signal: AbortSignal.abort() });
    expect(end).toMatchObject({ reason: 'cancelled', exitCode: undefined });
    expect(log).toEqual([]);
  });

  test('ends a program that needs more memory than it may', async () => {
    const script =
      'import time\nheld = []\nwhile True:\n  held.append(bytearray(8_000_000)); time.sleep(0.02)';
    const { end } = await run({ command: [python, '-c', script], options: small({}) });
    expect(end).toMatchObject({ reason: 'out-of-memory', exitCode: 137 });
    expect(end.peakMemoryBytes).toBeGreaterThanOrEqual(64 * 1024 ** 2);
  });

  test('ends a program that fills its disk, and one that did so and has ended', async () => {
    const slow =
      'cd "$MILLRACE_DIR/out"; for i in 1 2 3 4 5 6; do head -c 1000000 /dev/zero > "$i"; done; sleep 60';
    expect((await run({ command: sh(slow), options: small({ disk: '4MiB' }) })).end).toMatchObject({
      reason: 'disk-limit',
      exitCode: 137,
    });
    const quick = 'cd "$MILLRACE_DIR/out"; for i in 1 2 3 4 5 6; do head -c 1000000 /dev/zero > "$i"; done';
    expect((await run({ command: sh(quick), options: small({ disk: '4MiB' }) })).end.reason).toBe(
      'disk-limit',
    );
  });

  test('counts what a program prints as disk', async () => {
    const { end } = await run({ command: ['yes', 'x'.repeat(1000)], options: small({ disk: '4MiB' }) });
    expect(end.reason).toBe('disk-limit');
  });

  test('gives the contract and the declared variables, and nothing of the worker', async () => {
    process.env['LEAKED_FROM_WORKER'] = 'yes';
    const { log } = await run({ command: ['env'], options: { env: { MODE: 'fast', EMPTY: '' } } });
    delete process.env['LEAKED_FROM_WORKER'];
    const names = log
      .map((line) => line.slice(4, line.indexOf('=')))
      .filter((name) => !name.startsWith('MILLRACE_'));
    const given = new Set(['EMPTY', 'MODE', 'PYTHONPATH', 'PYTHONUNBUFFERED', ...(await environment())]);
    expect(names.sort()).toEqual([...given].sort());
    expect(log).toContain('out MODE=fast');
    expect(log).toContain('out MILLRACE_STEP=try#2');
    expect(log).toContain('out MILLRACE_ATTEMPT=1');
  });

  test('gives secrets as files and, where asked, as variables, hides them in the log and removes them', async () => {
    const key = '-----BEGIN KEY-----\nabcdefghijkl\n-----END KEY-----\n';
    const secrets = [
      { name: 'KEY', value: key, env: false },
      { name: 'TOKEN', value: `it's $HOME "quoted" \\ s3cret`, env: true },
    ];
    const { end, log, folder } = await run({
      command: sh(
        'cd "$MILLRACE_DIR"; sha256sum < secrets/KEY | cut -c1-8; cat secrets/KEY; echo "got $TOKEN."; cat secrets/TOKEN;' +
          ' printf "%s" "${#TOKEN}" >&2; test -z "$KEY"',
      ),
      given: { secrets },
    });
    expect(log).toContain('out ***');
    expect(log).toContain('out got ***.');
    expect(log).toContain(`err ${secrets[1]?.value.length}`);
    expect(log.join('\n')).not.toMatch(/s3cret|abcdefghijkl|BEGIN/);
    expect(end.exitCode).toBe(0);
    expect(await readdir(path.join(folder, 'secrets')).catch(() => [])).toEqual([]);
    const left = (await readdir(secretsRoot())).filter((name) =>
      name.startsWith(secretsPrefix(testInstallation)),
    );
    expect(left).toEqual([]);
  });

  test('reports peak memory and processor time of a program that works a while', async () => {
    const script =
      'import time\nheld = bytearray(30_000_000)\nend = time.time() + 2.5\nwhile time.time() < end: pass';
    const { end } = await run({ command: [python, '-c', script] });
    expect(end.exitCode).toBe(0);
    expect(end.peakMemoryBytes).toBeGreaterThan(30_000_000);
    expect(end.cpuSeconds).toBeGreaterThan(0.5);
    expect(end.cpuSeconds).toBeLessThan(10);
  });

  test('ends processes that a program leaves behind, also ones in a session of their own', async () => {
    const marker = `3${Math.floor(Math.random() * 1e6)}`;
    const { end } = await run({
      command: sh(`sleep ${marker} & setsid sleep ${marker} >/dev/null 2>&1 & sleep 0.5; exit 0`),
    });
    expect(end).toMatchObject({ reason: 'exited', exitCode: 0 });
    expect(end.durationMs).toBeLessThan(20_000);
    expect(await commandLines()).not.toContain(`sleep\0${marker}\0`);
  });
}

async function abortWhenReady(folder: string, controller: AbortController): Promise<void> {
  await waitFor(async () => (await readdir(path.join(folder, 'out'))).includes('ready'), {
    what: 'the program to start',
  });
  controller.abort();
}

async function commandLines(): Promise<readonly string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
}
