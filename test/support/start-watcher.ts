import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Execution } from '../../activities/executors/executor.js';
import type { ResolvedImage } from '../../sdk/protocol/messages.js';
import { buildPackage, packageRoot } from './build-package.js';
import { executionOf } from './execution.js';
import { releaseAtEnd } from './release-at-end.js';
import type { RunningProgram } from './run-program.js';
import { startProgram } from './run-program.js';
import { temporaryFolder } from './temporary-folder.js';

const program = `
const [module, execution] = process.argv.slice(1);
const { createDockerExecutor } = await import(module);
const given = JSON.parse(execution);
const end = await createDockerExecutor().execute(
  { ...given, command: () => given.spec.command },
  { signal: new AbortController().signal },
);
console.log(JSON.stringify(end));
`;

/** Lays out an attempt of a command in a folder of its own, as the activity does it. */
export async function laidOut(
  options: Parameters<typeof executionOf>[0],
  image: ResolvedImage,
  given: Partial<Execution> = {},
): Promise<Execution> {
  const root = await temporaryFolder();
  const folder = path.join(root, 'attempt');
  for (const name of ['in', 'out', 'checkpoint']) await mkdir(path.join(folder, name), { recursive: true });
  await writeFile(path.join(folder, 'input.json'), '{}');
  return executionOf(options, { image, folder, log: path.join(root, 'step.log'), ...given });
}

/** A process of its own that runs the attempt with the compiled Docker executor, to be killed. */
export async function startWatcher(
  execution: Execution,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningProgram> {
  await buildPackage();
  const module = path.join(packageRoot, 'dist/activities/executors/docker-executor.js');
  const watcher = startProgram(
    process.execPath,
    ['--input-type=module', '-e', program, module, JSON.stringify(execution)],
    { env },
  );
  releaseAtEnd(() => watcher[Symbol.asyncDispose]());
  return watcher;
}
