import type { ActivityOptions } from '@temporalio/workflow';
import { CancellationScope, isCancellation, proxyActivities, sleep } from '@temporalio/workflow';
import type { MillraceError } from '../sdk/errors.js';
import { StepTimeout, UnknownStep } from '../sdk/errors.js';
import type { DeliveryPlace } from '../sdk/protocol/activity-id.js';
import { activityId } from '../sdk/protocol/activity-id.js';
import type { FailureInfo } from '../sdk/protocol/failure.js';
import { fromFailureInfo, toFailureInfo } from '../sdk/protocol/failure.js';
import type { NextMove, StepResult, StepTask } from '../sdk/protocol/messages.js';
import { hostQueue, stepQueue } from '../sdk/protocol/names.js';
import type { DeliveryFailure } from './delivery-failure.js';
import { deliveryFailure } from './delivery-failure.js';
import type { StepCall } from './record-failure.js';
import { recordFailure } from './record-failure.js';
import type { FailedAttempt, RetryDecision } from './retry-decision.js';
import { decideRetry } from './retry-decision.js';
import type { RunPause } from './run-pause.js';

/** A worker that is silent for so long has lost the attempt. With the reconciler's 3 s the catalog is true within 20 s. */
const heartbeatTimeout = '15s';
/** Waiting for room on a worker counts into Temporal's limit of an attempt; the executor keeps the step's own. */
const longestWait = 30 * 24 * 3_600_000;

export type DeliveryOptions = {
  /** Prefix of the run's queues. */
  readonly queue: string;
  /** How long an attempt waits for its own host, ms. */
  readonly adoptWithinMs: number;
  /** What becomes of the step when no attempt is left. */
  readonly afterLast: (task: StepTask) => LastMove;
  readonly pause: Pick<RunPause, 'hold' | 'isHeld'>;
};

export type LastMove = Extract<NextMove, { readonly do: 'park' | 'fail' }>;

/** The deliveries of one run's steps. */
export interface StepDeliveries {
  /**
   * Gives a step to workers until it has a result or its retry policy says no. The attempts of a step are counted on over all
   * calls for one path, so that none has the number of another.
   * @throws LastFailure when no attempt is left; a cancellation
   */
  run(call: StepCall): Promise<StepResult>;
}

/** No attempt is left: the error to throw, or to park at. */
export class LastFailure extends Error {
  readonly error: MillraceError;
  readonly next: LastMove;
  /** As the last attempt had it: with the memory that the ones before it had turned out to need. */
  readonly task: StepTask;
  constructor(error: MillraceError, next: LastMove, task: StepTask) {
    super('no attempt is left');
    this.error = error;
    this.next = next;
    this.task = task;
  }
}

type Delivery = DeliveryPlace & { readonly host?: string };

export function stepDeliveries(options: DeliveryOptions): StepDeliveries {
  const { adoptWithinMs, afterLast, pause } = options;
  const begun = new Map<string, number>();
  const nextAttempt = (path: string): Delivery => {
    const attempt = (begun.get(path) ?? 0) + 1;
    begun.set(path, attempt);
    return { path, attempt, delivery: 1 };
  };

  /** @param last is kept as the latest attempt has the call */
  async function untilEnd(last: { call: StepCall }): Promise<StepResult> {
    const failures: FailedAttempt[] = [];
    const { scheduledAt } = last.call;
    let { task } = last.call;
    let place = nextAttempt(task.path);
    let from = Date.now();
    /** Deliveries of one attempt in a row that came to nothing at once: what kills each worker that takes it up must have an end. */
    let brief = 0;
    /** Deliveries of one attempt that were to bring its recorded result, and did not. */
    let untold = 0;
    for (;;) {
      const sent = Date.now();
      try {
        // What goes on already is taken up by its host, paused or not.
        const held = place.host === undefined && task.cleanup !== true ? pause.hold() : undefined;
        if (held) await held;
        return await deliver(task, place, options);
      } catch (error) {
        if (isCancellation(error)) throw error;
        const failed = deliveryFailure(error, task, place);
        const { attempt } = place;
        const { failure } = failed;
        const call = { task, scheduledAt };
        if (failure.fields?.['paused'] === true) {
          // Nothing had begun: the next worker has it as it was.
          if (!pause.isHeld()) await sleep(staleMs);
          place = { path: place.path, attempt, delivery: place.delivery + 1 };
          continue;
        }
        brief = Date.now() - sent < briefMs || isTrouble(failure) ? brief + 1 : 0;
        const again = brief < mostBrief ? await sameAttempt(call, place, failed) : undefined;
        if (again) {
          if (brief > 1) await sleep(againMs(brief));
          place = again;
          continue;
        }
        failures.push({ failure, lastedMs: Date.now() - from });
        const { memory: had } = task.spec.resources;
        const decision = decideRetry(task.spec.retry, { failures, memory: had, random: Math.random() });
        const { reason } = decision;
        const next = moveOf(decision) ?? afterLast(task);
        const anyway = untold >= mostBrief;
        const { hasResult } = await recordFailure(call, { attempt, failure, reason, next, anyway });
        if (hasResult) {
          untold += 1;
          if (untold > 1) await sleep(againMs(untold));
          failures.pop();
          place = { path: place.path, attempt, delivery: place.delivery + 1 };
          continue;
        }
        if (next.do !== 'retry') throw new LastFailure(fromFailureInfo(failure, failed.cause), next, task);
        if (next.waitMs > 0) await sleep(next.waitMs);
        task = withMemory(task, next.memory);
        last.call = { task, scheduledAt };
        place = nextAttempt(task.path);
        from = Date.now();
        brief = 0;
        untold = 0;
      }
    }
  }

  /** The delivery that goes on with an attempt: on its own host, which may have its container, or of one not begun, anywhere. */
  async function sameAttempt(
    call: StepCall,
    { path, attempt, delivery }: Delivery,
    { failure, host, unbegun }: DeliveryFailure,
  ): Promise<Delivery | undefined> {
    const place = { path, attempt, delivery: delivery + 1 };
    if (host === undefined) return unbegun ? place : undefined;
    const next = { do: 'take-up', host, withinMs: adoptWithinMs } as const;
    const { hostGone } = await recordFailure(call, { attempt, failure, reason: takeUp, next });
    return hostGone ? undefined : { ...place, host };
  }

  return {
    async run(call) {
      const { task } = call;
      const { stepTimeoutMs } = task.spec;
      const last = { call };
      if (stepTimeoutMs === undefined) return untilEnd(last);
      const inTime = await within(stepTimeoutMs, () => untilEnd(last));
      if (inTime) return inTime.value;
      const attempt = begun.get(task.path) ?? 1;
      const failure = stepTimeout(task, attempt);
      const { task: latest } = last.call;
      const { retry, resources } = latest.spec;
      const failures = [{ failure, lastedMs: stepTimeoutMs }];
      const { reason } = decideRetry(retry, { failures, memory: resources.memory, random: 0 });
      const next = afterLast(latest);
      await recordFailure(last.call, { attempt, failure, reason, next, anyway: true });
      throw new LastFailure(fromFailureInfo(failure), next, latest);
    },
  };
}

/** What is to be done after a failure, where another attempt follows. */
const moveOf = (decision: RetryDecision): Extract<NextMove, { readonly do: 'retry' }> | undefined =>
  decision.again ? { do: 'retry', waitMs: decision.waitMs, memory: decision.memory } : undefined;

/** The worker could not see to it, and left it as it was: that must have an end, however long each try takes. */
const isTrouble = ({ fields }: FailureInfo): boolean => fields?.['trouble'] === true;

/** From the second time on, a second longer each. */
const againMs = (times: number): number => Math.min(1_000 * times, 10_000);

const takeUp = 'its host may have it still';
const briefMs = 60_000;
const mostBrief = 10;
/** A worker took the run for paused that is not: the catalog it asks is behind. */
const staleMs = 1_000;

/** Runs something that is cancelled when its time is over. @returns undefined then */
async function within<T>(ms: number, body: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
  const working = new CancellationScope();
  const clock = new CancellationScope();
  let over = false;
  const ringing = clock.run(async () => {
    await sleep(ms);
    over = true;
    working.cancel();
  });
  ringing.catch(() => undefined);
  try {
    return { value: await working.run(body) };
  } catch (error) {
    if (over && isCancellation(error)) return undefined;
    throw error;
  } finally {
    clock.cancel();
  }
}

const stepTimeout = ({ run, path, spec }: StepTask, attempt: number): FailureInfo =>
  toFailureInfo(
    new StepTimeout(`Step \`${spec.name}\` took longer than its limit of ${spec.stepTimeoutMs} ms in all.`, {
      run,
      step: path,
      attempt,
      hint: 'Raise its `timeout.step`.',
      fields: { limit: 'step' },
    }),
  );

const withMemory = (task: StepTask, memory: number): StepTask => ({
  ...task,
  spec: { ...task.spec, resources: { ...task.spec.resources, memory } },
});

function deliver(task: StepTask, place: Delivery, options: DeliveryOptions): Promise<StepResult> {
  const { spec, path } = task;
  const { attempt, delivery } = place;
  const activity = proxyActivities<Readonly<Record<string, (task: StepTask) => Promise<StepResult>>>>({
    activityId: activityId({ path, attempt, delivery }),
    heartbeatTimeout,
    startToCloseTimeout: spec.timeoutMs + longestWait,
    // The run itself decides whether another follows.
    retry: { maximumAttempts: 1 },
    // A run that is cancelled has ended when its containers have.
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    ...whereTo(task, place, options),
  })[spec.name];
  if (!activity) throw new UnknownStep(`No activity \`${spec.name}\`.`);
  return activity({ ...task, attempt, delivery });
}

/** Code that runs inside the worker belongs to the worker of its build; all else to any host with room. */
function whereTo(
  { spec }: StepTask,
  { host }: Delivery,
  { queue, adoptWithinMs }: DeliveryOptions,
): Pick<ActivityOptions, 'taskQueue' | 'scheduleToStartTimeout'> {
  if (spec.isolation === 'none') return {};
  if (host !== undefined) return { taskQueue: hostQueue(queue, host), scheduleToStartTimeout: adoptWithinMs };
  const { queueTimeoutMs } = spec;
  return {
    taskQueue: stepQueue(queue),
    ...(queueTimeoutMs !== undefined && { scheduleToStartTimeout: queueTimeoutMs }),
  };
}
