import { join } from 'node:path';
import { runProgram } from './run-program.js';

/** The checkout's folder. */
export const packageRoot = join(import.meta.dirname, '../..');

/**
 * Compiles the package into dist/ unless it is up to date; test files that ask at the same moment share one build.
 * @throws with the compiler's words when the sources do not compile.
 */
export function buildPackage(): Promise<void> {
  return (built ??= build());
}

let built: Promise<void> | undefined;

async function build(): Promise<void> {
  const { exitCode, stdout, stderr } = await runProgram(process.execPath, [
    join(packageRoot, 'test/setup/build.mjs'),
  ]);
  if (exitCode !== 0) throw new Error(`The package does not compile:\n${stdout}${stderr}`);
}
