import { userInfo } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { statePaths } from '../config/state-paths.js';
import { RunFailed, TemporalUnavailable, UnknownGate, UnknownRun } from '../sdk/errors.js';
import { fromFailureInfo } from '../sdk/protocol/failure.js';
import type { Decide } from '../sdk/protocol/messages.js';
import { updates } from '../sdk/protocol/names.js';
import { isClosed } from '../sdk/states.js';
import type { Catalog, RunRecord } from '../store/catalog.js';
import { restoreValue } from '../store/values-by-reference.js';
import { cancelRun } from './cancel-run.js';
import type { RunHandle } from './client.js';
import type { ClientParts } from './client-parts.js';
import { reconcileAll } from './client-parts.js';
import { pauseRun, resumeRun } from './pause-run.js';
import { readLogs } from './read-logs.js';
import { readView } from './read-view.js';
import { repairStep } from './repair-step.js';
import { restoreView } from './restore-view.js';
import { runWhy } from './run-why.js';
import { isServiceAway, runError, serviceError, updateError } from './temporal-errors.js';

export function runHandle(id: string, parts: ClientParts): RunHandle {
  const { catalog, store, config, temporal } = parts;
  const workflow = async (): Promise<WorkflowHandle> => (await temporal()).client.workflow.getHandle(id);
  const isOpen = async () => {
    const run = await catalog.run(id);
    return run !== undefined && !isClosed(run.status);
  };
  const view = async (reconcile: boolean) => {
    if (reconcile) await reconcileAll(await openTree(id, catalog), parts);
    return readView(id, catalog);
  };
  return {
    id,
    async view({ values = false } = {}) {
      const found = await view(true);
      return values ? restoreView(found, store) : found;
    },
    async *watch({ interval = 250, signal } = {}) {
      let shown = '';
      let reconciled = 0;
      for (;;) {
        const due = Date.now() - reconciled > 2_000;
        if (due) reconciled = Date.now();
        const current = await view(due);
        const { at: _at, ...content } = current;
        const text = JSON.stringify(content);
        if (text !== shown) yield current;
        shown = text;
        if (isClosed(current.run.status) || signal?.aborted) return;
        await pause(interval, undefined, signal ? { signal } : {}).catch(() => undefined);
      }
    },
    async result({ signal } = {}) {
      signal?.throwIfAborted();
      try {
        const waiting = (await workflow()).result();
        return await (signal ? Promise.race([waiting, rejectOnAbort(signal)]) : waiting);
      } catch (error) {
        if (error instanceof WorkflowFailedError) throw runError(error, id);
        if (error instanceof WorkflowNotFoundError) return recordedResult(id, parts);
        // Without the service what the catalog kept of a closed run is the answer.
        const run =
          isServiceAway(error) || error instanceof TemporalUnavailable ? await catalog.run(id) : undefined;
        if (run && isClosed(run.status)) return recordedResult(id, parts);
        throw serviceError(error);
      }
    },
    async decide(gate, { decision, by = userInfo().username, reason }) {
      const answer: Decide = { gate, decision, by, ...(reason !== undefined && { reason }) };
      try {
        await (await workflow()).executeUpdate(updates.decide, { args: [answer] });
      } catch (error) {
        const ended = new UnknownGate(`Gate \`${gate}\` waits no more: the run has ended.`, { run: id });
        throw updateError(error, { run: id, ended });
      }
    },
    repair: async (step, options) => repairStep(await view(false), step, options, parts),
    why: (step) => runWhy(id, { step, catalog }),
    cancel: (options = {}) => cancelRun(id, options, parts),
    pause: (options = {}) => pauseRun(id, options, parts),
    resume: (options = {}) => resumeRun(id, options, parts),
    logs: ({ step, attempt, follow = false, signal } = {}) =>
      readLogs({
        run: id,
        step,
        attempt,
        follow,
        signal,
        catalog,
        store,
        paths: statePaths(config.stateDir),
        isOpen,
      }),
  };
}

/** Retention has passed: what the catalog kept. */
async function recordedResult(id: string, { catalog, store }: ClientParts): Promise<unknown> {
  const run = await catalog.run(id);
  if (!run) throw new UnknownRun(`There is no run \`${id}\`.`, { hint: 'See `millrace runs`.' });
  if (run.status === 'completed') return restoreValue(run.output, store);
  throw run.failure ? fromFailureInfo(run.failure) : new RunFailed(`The run is ${run.status}.`, { run: id });
}

async function openTree(id: string, catalog: Catalog): Promise<readonly RunRecord[]> {
  const run = await catalog.run(id);
  if (!run) throw new UnknownRun(`There is no run \`${id}\`.`, { hint: 'See `millrace runs`.' });
  const children = await catalog.runs({ parent: id, status: 'running', limit: 1_000 });
  return [
    ...(isClosed(run.status) ? [] : [run]),
    ...(await Promise.all(children.map((child) => openTree(child.id, catalog)))).flat(),
  ];
}

const rejectOnAbort = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );
