import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { runProgram } from '../../support/run-program.js';

export const trainerFolder = path.join(import.meta.dirname, '../../../examples/mortgage/trainer');

/** A Python with the packages of the trainer's requirements.txt, installed once for each state of that file. */
export async function trainerPython(): Promise<string> {
  const requirements = path.join(trainerFolder, 'requirements.txt');
  const { stdout: version } = await runProgram('python3', ['--version']);
  const key = createHash('sha256')
    .update(version)
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 12);
  const cache = process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache');
  const kept = path.join(cache, `millrace/venvs/examples-test-${key}`);
  const python = (folder: string) => path.join(folder, 'bin/python');
  if (existsSync(python(kept))) return python(kept);

  const made = `${kept}.${process.pid}`;
  await succeed('python3', ['-m', 'venv', made]);
  // As a module: its scripts would carry the path of the folder before it is renamed.
  await succeed(python(made), [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '-r',
    requirements,
  ]);
  // Whole or not at all; where another test file was faster its folder is as good.
  await rename(made, kept).catch(() => rm(made, { recursive: true, force: true }));
  return python(kept);
}

async function succeed(command: string, args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runProgram(command, args, { timeoutMs: 600_000 });
  if (exitCode !== 0) throw new Error(`${command} ${args.join(' ')} ended with code ${exitCode}:\n${stderr}`);
}
