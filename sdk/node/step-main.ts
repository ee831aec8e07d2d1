import { appendFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isMillraceError } from '../errors.js';
import { contract, contractEnv, exitCodes } from '../step-contract.js';
import type { StepEvent } from '../step-contract.js';
import type { StepDefinition } from '../step.js';
import { STEP } from '../step.js';
import { runHandler } from './run-handler.js';

export const STEP_DEFINITION: typeof STEP = STEP;

/** The main program of a function step in a container or process: the step contract from inside, in Node. */
export async function main(definition: StepDefinition): Promise<void> {
  const folder = required(contractEnv.folder);
  const abort = new AbortController();
  process.once('SIGTERM', () => abort.abort());
  const emit = (event: StepEvent) =>
    appendFileSync(path.join(folder, contract.events), `${JSON.stringify(event)}\n`);
  let code = 0;
  try {
    const input: unknown = JSON.parse(readFileSync(path.join(folder, contract.input), 'utf8'));
    const { values, moved } = await runHandler(definition, input, {
      run: required(contractEnv.run),
      step: required(contractEnv.step),
      attempt: Number(required(contractEnv.attempt)),
      folder: () => folder,
      secret: (name) => readFileSync(path.join(folder, contract.secrets, name), 'utf8'),
      emit,
      signal: abort.signal,
    });
    for (const [name, from] of Object.entries(moved)) moveTo(from, path.join(folder, contract.outputs, name));
    writeFileSync(path.join(folder, contract.output), JSON.stringify(values));
  } catch (error) {
    const retryable = !(isMillraceError(error) && error.fields['retryable'] === false);
    console.error(error);
    // It ends because it was told to: who told it knows why.
    if (retryable && abort.signal.aborted) code = exitCodes.stopped;
    else code = retryable ? 1 : exitCodes.nonRetryable;
    emit({
      type: 'failure',
      message: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
      retryable,
      at: new Date().toISOString(),
    });
  }
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  // The step has ended when its function has: what that left open (a pool, an interval) must not keep the program.
  process.exit(code);
}

const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => stream.write('', () => resolve()));

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`${name} is not set: this program runs as a Millrace step (docs/step-contract.md).`);
  return value;
}

function moveTo(from: string, to: string): void {
  if (from === to) return;
  cpSync(from, to, { recursive: true, dereference: true });
  rmSync(from, { recursive: true, force: true });
}
