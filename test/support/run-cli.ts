import { join } from 'node:path';
import { buildPackage, packageRoot } from './build-package.js';
import {
  type ProgramEnd,
  type ProgramOptions,
  type RunningProgram,
  runProgram,
  startProgram,
} from './run-program.js';

const main = join(packageRoot, 'dist/cli/main.js');

/** Runs the built `millrace` command to its end. */
export async function runCli(args: readonly string[], options?: ProgramOptions): Promise<ProgramEnd> {
  await buildPackage();
  return runProgram(process.execPath, [main, ...args], options);
}

/** Starts a `millrace` command that stays, such as `dev` or `worker`; dispose it. */
export async function startCli(
  args: readonly string[],
  options?: Omit<ProgramOptions, 'timeoutMs'>,
): Promise<RunningProgram> {
  await buildPackage();
  return startProgram(process.execPath, [main, ...args], options);
}
