import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { removeTree } from '../activities/remove-tree.js';
import type { StepEvent } from '../sdk/step-contract.js';
import { contract } from '../sdk/step-contract.js';
import { restoreValue } from '../store/values-by-reference.js';
import { changeStep } from './change-step.js';
import type { DebugEnvironment } from './debug-environment.js';
import type { AloneEnd, DebugTools } from './debug-tools.js';
import type { StepChoice } from './recorded-step.js';
import { runProgram } from './run-program.js';
import { inSession } from './try-step.js';

/** Runs a step by itself on what its run recorded, and keeps what came of it beside the run. */
export const runStepAlone = (
  env: DebugEnvironment,
  choice: StepChoice,
  { onLine = () => undefined, source, input, files, ...options }: Parameters<DebugTools['step']>[1] = {},
): Promise<AloneEnd> =>
  inSession(
    env,
    choice,
    {
      ...options,
      fresh: true,
      change: (recorded, signal) =>
        changeStep(
          recorded,
          { ...(source !== undefined && { source }), ...(input && { input }), ...(files && { files }) },
          { env, signal },
        ),
    },
    async ({ recorded, laidOut, tried, signal, folder }) => {
      const events: StepEvent[] = [];
      const result = await runProgram(laidOut, {
        executor: tried.executor,
        recorded: await restoreValue(recorded.step.output, env.store),
        artifacts: path.join(folder, 'artifacts'),
        onLine,
        onEvent: (event) => events.push(event),
        signal,
        env,
      });
      const kept = path.join(env.paths.apart(tried.run, tried.step), stamp());
      const { folder: _folder, ...about } = tried;
      const end = { ...about, input: laidOut.input, ...result, folder: kept };
      await keepResult({ from: tried.folder, log: laidOut.execution.log, events, kept }, end);
      return end;
    },
  );

/** What it made, as it is; inputs and source are named by their digests. */
const resultNames = [contract.outputs, contract.output, contract.input];

type Result = {
  readonly from: string;
  readonly log: string;
  /** Not as the program wrote them: a secret may be in it. */
  readonly events: readonly StepEvent[];
  readonly kept: string;
};

async function keepResult({ from, log, events, kept }: Result, result: unknown): Promise<void> {
  await mkdir(path.dirname(kept), { recursive: true });
  const draft = `${kept}.part`;
  await mkdir(draft);
  try {
    for (const name of resultNames)
      await rename(path.join(from, name), path.join(draft, name)).catch(ignoreMissing);
    await rename(log, path.join(draft, 'log')).catch(ignoreMissing);
    const lines = events.map((event) => `${JSON.stringify(event)}\n`);
    await writeFile(path.join(draft, contract.events), lines.join(''));
    await writeFile(path.join(draft, 'result.json'), `${JSON.stringify(result, undefined, 2)}\n`);
    await rename(draft, kept);
  } catch (error) {
    await removeTree(draft);
    throw error;
  }
}

/** Not all of it is made by each step. */
function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

/** `20261124-093012-123`, in UTC. */
const stamp = (): string => new Date().toISOString().replaceAll(/[-:Z]/g, '').replaceAll(/[T.]/g, '-');
