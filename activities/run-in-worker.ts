import { mkdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { walkArtifacts } from '../sdk/artifact.js';
import { isMillraceError, StepFailed, StepTimeout } from '../sdk/errors.js';
import { sentence } from '../sdk/sentence.js';
import type { HandlerRun } from '../sdk/node/run-handler.js';
import { runHandler } from '../sdk/node/run-handler.js';
import type { StepDefinition } from '../sdk/step.js';
import type { StepEvent } from '../sdk/step-contract.js';
import { stepEvent } from '../sdk/step-contract.js';
import { acquireRoom } from './acquire-room.js';
import type { Attempt } from './attempt.js';
import type { SecretMask } from './mask-secrets.js';
import type { LogPlace } from '../store/log-chunks.js';
import { noteLog } from './logs/unstored-logs.js';
import { maskedEvent } from './mask-secrets.js';
import { messageLines } from './message-lines.js';
import { removeTree } from './remove-tree.js';
import { resolveSecrets } from './secrets.js';
import { layOutInputs } from './step-folder.js';
import { checkedOutput, digestsOf, storeArtifacts } from './step-outputs.js';

/** Isolation none and inline: the function runs here. A folder is made only when artifacts or secrets need one. */
export async function runInWorker({
  task,
  attempt,
  definition,
  input,
  report,
  mask,
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
  const emit = (said: StepEvent) => {
    const { data } = stepEvent.safeParse(said);
    if (!data)
      return env.logger.warn(
        { run, step, type: said.type },
        'the step said something that is no event, such as a metric without a number',
      );
    const event = maskedEvent(data, mask);
    report.event(event);
    if (event.type === 'message') log.push(...messageLines(event));
  };
  const resources = noResources(spec.isolation, spec.resources);
  const release = await acquireRoom({ task, report, env }, { resources, signal });
  // Not AbortSignal.timeout, which holds what listens to it until its time is over.
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), Math.min(spec.timeoutMs, 2 ** 31 - 1));
  try {
    if (spec.isolation !== 'inline') report.running();
    if (hasArtifacts(input))
      await layOutInputs({ folder: makeFolder(), input, mode: 'copy', store: env.store, signal });
    const secrets = new Map(
      (await resolveSecrets(spec.secrets, env.secrets)).map(({ name, value }) => [name, value]),
    );
    const { values, moved } = await Promise.race([
      callHandler(definition, input, {
        run,
        step,
        attempt,
        folder: makeFolder,
        secret: (name) => secrets.get(name) ?? '',
        emit,
        log,
        mask,
        signal: AbortSignal.any([signal, timeout.signal]),
      }),
      aborted(
        timeout.signal,
        () =>
          new StepTimeout(`Step \`${spec.name}\` ran longer than its limit of ${spec.timeoutMs} ms.`, {
            hint: 'Raise its `timeout`.',
          }),
      ),
      aborted(signal, () => signal.reason as Error),
    ]);
    const given = digestsOf(input);
    const artifacts =
      spec.artifacts.length === 0
        ? {}
        : await storeArtifacts({
            spec,
            folder,
            values,
            moved,
            store: env.store,
            signal,
            given,
          });
    return checkedOutput(definition, { ...values, ...artifacts }, given);
  } finally {
    clearTimeout(timer);
    release();
    if (log.length > 0) await keepLog({ run, path: step, attempt }, log, { report, env });
    if (made) await removeTree(folder);
  }
}

/** The author's code; what it throws is theirs, unlike what fails around it. @throws StepFailed */
async function callHandler(
  definition: StepDefinition,
  input: unknown,
  { log, mask, ...run }: HandlerRun & { readonly log: string[]; readonly mask: SecretMask },
): ReturnType<typeof runHandler> {
  try {
    return await runHandler(definition, input, run);
  } catch (error) {
    if (isMillraceError(error) || run.signal.aborted) throw error;
    const { name, message, stack = '' } = error instanceof Error ? error : new Error(String(error));
    log.push(
      ...mask(stack)
        .split('\n')
        .map((line) => `${new Date().toISOString()} err ${line}`),
    );
    throw new StepFailed(`Step \`${definition.spec.name}\` threw ${name}: ${sentence(message)}`, {
      cause: error,
      fields: { logTail: log.slice(-50) },
      hint: `See \`millrace logs ${run.run} ${run.step}\`.`,
    });
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

/** In a file, and in the store: where that takes too long it is done later. */
async function keepLog(
  place: LogPlace,
  lines: readonly string[],
  { report, env }: Pick<Attempt, 'report' | 'env'>,
): Promise<void> {
  const file = env.paths.attemptLog(place.run, place.path, place.attempt);
  await writeLog(file, lines);
  await noteLog(env.paths, place);
  const { digest } = await env.store
    .put(file, { signal: AbortSignal.timeout(storeWithinMs) })
    .catch(() => ({ digest: undefined }));
  if (digest) report.facts({ log: digest });
}

/** What waits for it may be a workflow's task. */
const storeWithinMs = 2_000;

async function writeLog(file: string, lines: readonly string[]): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, lines.map((line) => `${line}\n`).join(''));
}
