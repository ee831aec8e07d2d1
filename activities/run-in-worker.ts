import { mkdirSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { walkArtifacts } from '../sdk/artifact.js';
import { isMillraceError, StepFailed, StepTimeout } from '../sdk/errors.js';
import { sentence } from '../sdk/sentence.js';
import { runHandler } from '../sdk/node/run-handler.js';
import type { StepEvent } from '../sdk/step-contract.js';
import type { Attempt } from './attempt.js';
import { layOutInputs, layOutSecrets } from './step-folder.js';
import { checkedOutput, storeArtifacts } from './step-outputs.js';

/** Isolation none and inline: the function runs here. A folder is made only when artifacts or secrets need one. */
export async function runInWorker({
  task,
  attempt,
  definition,
  input,
  report,
  signal,
  env,
}: Attempt): Promise<Readonly<Record<string, unknown>>> {
  const { run, path: step, spec } = task;
  const folder = env.paths.attempt(run, step, attempt);
  let made = false;
  const makeFolder = () => {
    if (!made) mkdirSync(folder, { recursive: true });
    made = true;
    return folder;
  };
  const log: string[] = [];
  const emit = (event: StepEvent) => {
    report.event(event);
    if (event.type === 'message')
      log.push(
        `${event.at ?? new Date().toISOString()} out ${event.level}: ${event.text}${event.fields ? ` ${JSON.stringify(event.fields)}` : ''}`,
      );
  };
  const release = await env.admission.acquire(noResources(spec.isolation, spec.resources), {
    signal,
    onWait: (detail) => report.queued(detail),
  });
  const timeout = AbortSignal.timeout(Math.min(spec.timeoutMs, 2 ** 31 - 1));
  try {
    if (spec.isolation !== 'inline') report.running();
    if (hasArtifacts(input))
      await layOutInputs({ folder: makeFolder(), input, mode: 'copy', store: env.store, signal });
    if (spec.secrets.length > 0)
      await layOutSecrets({ folder: makeFolder(), uses: spec.secrets, source: env.secrets });
    const { values, moved } = await Promise.race([
      runHandler(definition, input, {
        run,
        step,
        attempt,
        folder: makeFolder,
        emit,
        signal: AbortSignal.any([signal, timeout]),
      }),
      aborted(
        timeout,
        () =>
          new StepTimeout(`Step \`${spec.name}\` ran longer than its limit of ${spec.timeoutMs} ms.`, {
            hint: 'Raise its `timeout`.',
          }),
      ),
      aborted(signal, () => signal.reason as Error),
    ]);
    const artifacts =
      spec.artifacts.length === 0
        ? {}
        : await storeArtifacts({ spec, folder, values, moved, store: env.store, signal });
    return checkedOutput(definition, { ...values, ...artifacts });
  } catch (error) {
    if (isMillraceError(error) || signal.aborted) throw error;
    const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
    if (error instanceof Error && error.stack)
      log.push(...error.stack.split('\n').map((line) => `${new Date().toISOString()} err ${line}`));
    throw new StepFailed(`Step \`${spec.name}\` threw ${name}: ${sentence(message)}`, {
      cause: error,
      fields: { logTail: log.slice(-50) },
      hint: `See \`millrace logs ${run} ${step}\`.`,
    });
  } finally {
    release();
    if (log.length > 0) await writeLog(env.paths.attemptLog(run, step, attempt), log);
    if (made) await rm(folder, { recursive: true, force: true });
  }
}

/** Glue of a few milliseconds takes no place on the host. */
const noResources = (isolation: string, resources: Attempt['task']['spec']['resources']) =>
  isolation === 'inline' ? { ...resources, cpus: 0, memory: 0, gpus: 0 } : resources;

function hasArtifacts(input: unknown): boolean {
  let any = false;
  walkArtifacts(input, () => {
    any = true;
  });
  return any;
}

const aborted = (signal: AbortSignal, error: () => Error): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(error());
    else signal.addEventListener('abort', () => reject(error()), { once: true });
  });

async function writeLog(file: string, lines: readonly string[]): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, lines.map((line) => `${line}\n`).join(''));
}
