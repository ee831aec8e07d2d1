import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pino } from 'pino';
import { runCommand } from '../../../notify/run-command.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

async function run(script: string, options: { readonly input?: string; readonly signal?: AbortSignal } = {}) {
  const cwd = await temporaryFolder();
  const lines: string[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(line) });
  const { input = '{}', signal = new AbortController().signal } = options;
  const ended = runCommand(['sh', '-c', script], { cwd, logger, input, env: { WORD: 'word' }, signal });
  return { cwd, lines, ended };
}

test('a program gets the message on its standard input, and what it prints is in the log', async () => {
  const { cwd, lines, ended } = await run('cat > got; echo "told $WORD"', { input: '{"a":1}' });
  await ended;
  expect(await readFile(path.join(cwd, 'got'), 'utf8')).toBe('{"a":1}');
  expect(lines.join('')).toContain('told word');
});

test('one that fails says so with its last words, and one that is not there too', async () => {
  await expect((await run('echo "no route" >&2; exit 3')).ended).rejects.toThrow('sh ended with 3: no route');
  const options = { cwd: await temporaryFolder(), logger: pino({ level: 'silent' }), input: '', env: {} };
  const { signal } = new AbortController();
  await expect(runCommand(['/no/such/program'], { ...options, signal })).rejects.toThrow('ENOENT');
});

test('it need not read what it is given', async () => {
  const { ended } = await run('exit 0', { input: 'x'.repeat(1_000_000) });
  await expect(ended).resolves.toBeUndefined();
});

/** Starts what outlives its whole group and holds its pipes, and says its process id in a file. */
const daemon = 'setsid sleep 600 & echo $! > daemon;';
async function endDaemonAtEnd(cwd: string): Promise<void> {
  const pid = await waitFor(
    async () => {
      const said = Number(await readFile(path.join(cwd, 'daemon'), 'utf8'));
      // Of a file that is still empty it would be 0: this process's whole group.
      return said > 1 && said;
    },
    { what: 'its daemon' },
  );
  releaseAtEnd(() => process.kill(pid, 'SIGKILL'));
}

test('what it leaves running is not waited for, and it has done its work', async () => {
  const { cwd, lines, ended } = await run(`${daemon} echo told; exit 0`);
  await endDaemonAtEnd(cwd);
  await expect(ended).resolves.toBeUndefined();
  expect(lines.join('')).toContain('told');
});

test('when its time is over it is given up, whatever it started elsewhere', async () => {
  const late = new AbortController();
  const { cwd, ended } = await run(`${daemon} wait`, { signal: late.signal });
  await endDaemonAtEnd(cwd);
  late.abort(new Error('too late'));
  await expect(ended).rejects.toThrow('too late');
});

test('of much output the end is kept', async () => {
  const { lines, ended } = await run('yes "a long story" | head -n 400000; echo "the end"');
  await ended;
  const { output } = JSON.parse(lines[0]!) as { readonly output: string };
  expect([output.length <= 4_000, output.endsWith('a long story\nthe end')]).toEqual([true, true]);
});

test('when its time is over it ends with all it started', async () => {
  const late = new AbortController();
  const { cwd, ended } = await run('sleep 600 & echo $! > child; wait', { signal: late.signal });
  const child = await waitFor(async () => Number(await readFile(path.join(cwd, 'child'), 'utf8')));
  late.abort(new Error('too late'));
  await expect(ended).rejects.toThrow('too late');
  await waitFor(
    async () => !/State:\s+[RSD]/.test(await readFile(`/proc/${child}/status`, 'utf8').catch(() => '')),
    { what: 'its child to end' },
  );
});
