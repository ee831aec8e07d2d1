import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pino } from 'pino';
import { runCommand } from '../../../notify/run-command.js';
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
