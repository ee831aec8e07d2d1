import { isMillraceError } from '../../sdk/errors.js';
import type { StepResult } from '../../sdk/protocol/messages.js';
import type { CacheEntry, CacheUse } from '../../store/cache-index.js';
import type { Attempt } from '../attempt.js';
import type { Flight } from './single-flight.js';
import { singleFlight } from './single-flight.js';
import type { StepKey } from './step-key.js';
import { stepKey } from './step-key.js';
import type { Usable } from './usable-entry.js';
import { usableEntry } from './usable-entry.js';

type Output = Readonly<Record<string, unknown>>;

/**
 * Runs a cached step: takes a result that is there, waits for one that another is computing, or computes and keeps it. A cache
 * that does not answer costs a computation, never the step.
 */
export async function throughCache(attempt: Attempt, compute: () => Promise<Output>): Promise<StepResult> {
  const { task, input, signal, env, report } = attempt;
  const { cache: spec } = task.spec;
  if (!spec || task.cache === undefined) return { output: await compute() };
  const found = await stepKey(task, input, {
    env,
    install: true,
    signal,
    onDetail: (detail) => report.queued(detail),
  });
  if (!found) return { output: await compute() };
  const use = { run: task.run, path: task.path, step: task.spec.name, pipeline: task.pipeline, ...found };
  const note = (made: Pick<CacheUse, 'outcome' | 'from' | 'reason'>) =>
    env.projector.add({ cacheUses: [{ ...use, ...made, at: new Date().toISOString() }] });
  let usable: Usable = { reason: 'asked for anew' };
  const asked = task.cache === 'refresh' ? undefined : () => usableEntry(found, spec, env, signal);
  const began = new Date().toISOString();
  const flight = await unlessAway(attempt, async () => {
    if (asked) usable = await asked();
    if (usable.entry) return { entry: usable.entry };
    return singleFlight({
      cache: env.catalog.cache,
      key: found.key,
      run: task.run,
      path: task.path,
      attempt: attempt.attempt,
      signal,
      onWait: (holder) => report.queued(`waits for ${holder.run} ${holder.path}, which computes the same`),
      // What came while it was waited for is new enough, also where it was asked for anew.
      arrived: async () => {
        const now = await usableEntry(found, spec, env, signal);
        if (now.entry && (asked || now.entry.createdAt > began)) return now.entry;
        if (!now.entry && asked) usable = now;
        return undefined;
      },
      onTrouble: (error) => env.logger.warn({ err: error, run: task.run, step: task.path }, 'cache lease'),
    });
  });
  if (flight && 'entry' in flight) {
    const { run, path, output } = flight.entry;
    const from = { run, path };
    note({ outcome: usable.entry ? 'hit' : 'joined', from });
    return { output: output as Output, cached: from };
  }
  note({ outcome: 'computed', reason: task.missed ?? usable.reason ?? 'no entry' });
  return { output: await computed(attempt, { found, flight: flight?.flight, compute }) };
}

async function computed(
  { task, env }: Attempt,
  {
    found,
    flight,
    compute,
  }: {
    readonly found: StepKey;
    readonly flight: Flight | undefined;
    readonly compute: () => Promise<Output>;
  },
): Promise<Output> {
  try {
    const output = await compute();
    const entry: CacheEntry = {
      key: found.key,
      step: task.spec.name,
      pipeline: task.pipeline,
      run: task.run,
      path: task.path,
      output,
      createdAt: new Date().toISOString(),
    };
    const kept = await flight?.commit(entry).catch((error: unknown) => {
      env.logger.warn({ err: error, run: task.run, step: task.path }, 'the result could not be cached');
      return true;
    });
    if (kept === false)
      env.logger.warn(
        { run: task.run, step: task.path },
        'another took the lease over: its result is cached',
      );
    return output;
  } finally {
    await flight?.[Symbol.asyncDispose]();
  }
}

/** The cache is no reason to fail: without an answer the step computes. */
async function unlessAway<T>({ task, signal, env }: Attempt, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (signal.aborted || (isMillraceError(error) && error.code === 'STEP_CANCELLED')) throw error;
    env.logger.warn({ err: error, run: task.run, step: task.path }, 'the cache does not answer; computing');
    return undefined;
  }
}
