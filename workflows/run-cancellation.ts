import { CancellationScope, CancelledFailure, defineSignal, setHandler, sleep } from '@temporalio/workflow';
import type { CancelCause } from '../sdk/cleanup.js';
import type { CancelMessage } from '../sdk/protocol/messages.js';
import { signals } from '../sdk/protocol/names.js';
import type { StepKind } from '../sdk/states.js';
import type { OpenChildren } from './open-children.js';

const cancelSignal = defineSignal<[CancelMessage]>(signals.cancel);

export type CancellationOptions = {
  /** Longest time of all cleanup, ms. */
  readonly cleanupMs: number;
  readonly children: OpenChildren;
  /** Called once, when the run is to end. */
  readonly onRequest: (cause: CancelCause) => void;
};

/** Of a call of the pipeline. */
export type CallContext = {
  /** It belongs to the cleanup of its run. */
  readonly cleanup: boolean;
};

/**
 * How a run is cancelled. All its calls that are under way end as cancelled, whatever they came to. What the pipeline calls after
 * it was told so, in its `catch` and `finally` blocks, is cleanup: it runs when all else of the run has been stopped, for a limited
 * time. Decisions, versions and aliases are no cleanup of a `catch` block, which may only have meant to go on.
 */
export interface RunCancellation {
  readonly requested: () => boolean;
  readonly cause: () => CancelCause;
  /** Why cleanup was ended, or may not begin. */
  readonly cleanupOver: () => 'time' | 'force' | undefined;
  /** Runs the pipeline's function; what it leaves behind is stopped when it ends. */
  body<T>(run: () => Promise<T>): Promise<T>;
  /** Runs one call of the pipeline, as what it is to the run now. */
  call<T>(kind: StepKind | 'sleep', run: (context: CallContext) => Promise<T>): Promise<T>;
  /** Runs what a pipeline does at its end, out of reach of the first cancellation. @throws a cancellation when cleanup is over */
  cleanUp(run: () => Promise<void>): Promise<void>;
  /** All is done: no clock goes on. */
  end(): void;
}

export function runCancellation({ cleanupMs, children, onRequest }: CancellationOptions): RunCancellation {
  const root = CancellationScope.current();
  const main = below(root);
  const shield = new CancellationScope({ parent: root, cancellable: false });
  const cleanup = below(shield);
  const unwinding = below(cleanup);
  const clock = below(shield);
  /** Calls under way, with the scope each was made in. */
  const calls = new Map<Promise<unknown>, CancellationScope>();
  let cause: CancelCause = {};
  let over: 'time' | 'force' | undefined;
  let ticking = false;
  /** Whether the pipeline knows, so that what it calls next is cleanup. */
  let told = false;

  const requested = () => root.consideredCancelled;
  const tellChildren = (force: boolean) => {
    void children.tell(cancelSignal, { by: '', ...cause, force, fromParent: true });
  };
  const endCleanup = (why: 'time' | 'force') => {
    over ??= why;
    cleanup.cancel();
    clock.cancel();
    tellChildren(true);
  };
  setHandler(cancelSignal, ({ by, reason, force = false, fromParent = false }) => {
    const again = force || (requested() && !fromParent);
    if (!requested()) cause = { ...(by && { by }), ...(reason !== undefined && { reason }) };
    if (again) endCleanup('force');
    else tellChildren(false);
  });
  root.cancelRequested.catch(() => onRequest(cause));

  async function counted<T>(scope: CancellationScope, working: Promise<T>): Promise<T> {
    calls.set(working, scope);
    try {
      return await working;
    } finally {
      calls.delete(working);
    }
  }

  async function mainCall<T>(scope: CancellationScope, working: Promise<T>): Promise<T> {
    const isCut = () => requested() && scope.consideredCancelled;
    try {
      const result = await counted(scope, working);
      if (!isCut()) return result;
    } catch (error) {
      if (!isCut()) throw error;
    }
    throw tell();
  }

  function tell(): CancelledFailure {
    told = true;
    return new CancelledFailure('The run was cancelled.');
  }

  /** Until nothing of the run goes on that is being stopped: cleanup never works beside it. */
  async function quiet(): Promise<void> {
    const stopping = () => [...calls].filter(([, scope]) => scope.consideredCancelled);
    while (stopping().length > 0) await Promise.allSettled(stopping().map(([call]) => call));
  }

  function startClock(): void {
    if (ticking || over) return;
    ticking = true;
    clock
      .run(async () => {
        await sleep(cleanupMs);
        endCleanup('time');
      })
      .catch(() => undefined);
  }

  const clean = <T>(scope: CancellationScope, run: () => Promise<T>): Promise<T> =>
    scope.run(async () => {
      await quiet();
      if (over) throw new CancelledFailure('The cleanup of the run is over.');
      startClock();
      return run();
    });

  /** What nobody awaits any more of a piece of work that has ended is stopped before the next begins. */
  async function stopRest(scope: CancellationScope): Promise<void> {
    if ([...calls.values()].some((each) => isWithin(each, scope))) scope.cancel();
    await quiet();
  }

  return {
    requested,
    cause: () => cause,
    cleanupOver: () => over,
    async body(run) {
      try {
        return await main.run(run);
      } finally {
        await stopRest(main);
        await stopRest(unwinding);
      }
    },
    call(kind, run) {
      const scope = CancellationScope.current();
      if (isWithin(scope, cleanup)) return counted(scope, run({ cleanup: true }));
      if (!requested() || !scope.consideredCancelled) return mainCall(scope, run({ cleanup: false }));
      if (!told || over || !cleaning.has(kind)) return Promise.reject(tell());
      return clean(unwinding, () => counted(unwinding, run({ cleanup: true })));
    },
    async cleanUp(run) {
      const scope = below(cleanup);
      try {
        await clean(scope, run);
      } finally {
        await stopRest(scope);
      }
    },
    end: () => clock.cancel(),
  };
}

const below = (parent: CancellationScope): CancellationScope =>
  new CancellationScope({ parent, cancellable: true });

/** What a `catch` or `finally` block may do in a cancelled run. */
const cleaning: ReadonlySet<StepKind | 'sleep'> = new Set(['step', 'fetch', 'pipeline', 'sleep']);

function isWithin(scope: CancellationScope | undefined, outer: CancellationScope): boolean {
  for (let each = scope; each; each = each.parent) if (each === outer) return true;
  return false;
}
