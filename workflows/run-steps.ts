import type { MillraceError } from '../sdk/errors.js';
import { StepAborted } from '../sdk/errors.js';
import type { FailurePolicy } from '../sdk/failure-policy.js';
import type { Repair, StepResult, StepTask } from '../sdk/protocol/messages.js';
import { failureInfo } from './failures.js';
import type { StepCall } from './record-failure.js';
import { recordFailure } from './record-failure.js';
import type { RepairOrder, Repairs } from './repairs.js';
import type { RunPause } from './run-pause.js';
import type { RunEvent } from './run-reducer.js';
import { LastFailure, stepDeliveries } from './step-delivery.js';

export type RunStepsOptions = {
  readonly queue: string;
  readonly adoptWithinMs: number;
  /** For steps that say nothing themselves. */
  readonly onFailure: FailurePolicy | undefined;
  readonly repairs: Repairs;
  readonly pause: Pick<RunPause, 'hold' | 'isHeld'>;
  readonly record: (event: RunEvent) => void;
};

/** Runs steps to their results: deliveries and retries, and where no attempt is left a pause until a person repairs the step. */
export interface RunSteps {
  /** @throws the error of the last attempt; StepAborted */
  run(call: StepCall): Promise<StepResult>;
}

export function runSteps({
  queue,
  adoptWithinMs,
  onFailure,
  repairs,
  pause,
  record,
}: RunStepsOptions): RunSteps {
  const policyOf = ({ spec }: StepTask): FailurePolicy => spec.onFailure ?? onFailure ?? { park: false };
  const deliveries = stepDeliveries({
    queue,
    adoptWithinMs,
    pause,
    afterLast(task) {
      const { park, deadlineMs } = policyOf(task);
      if (!park) return { do: 'fail' };
      return {
        do: 'park',
        ...(deadlineMs !== undefined && { until: new Date(Date.now() + deadlineMs).toISOString() }),
      };
    },
  });

  async function untilRepaired(call: StepCall, { error, next }: LastFailure): Promise<RepairOrder> {
    const { task } = call;
    if (next.do !== 'park') throw error;
    const failure = failureInfo(error, { run: task.run, step: task.path });
    const { until } = next;
    record({ type: 'parked', path: task.path, failure, ...(until !== undefined && { until }) });
    const order = await repairs.wait(task, policyOf(task).deadlineMs);
    if (order) {
      record({ type: 'repaired', path: task.path });
      return order;
    }
    const { attempt = 1 } = failure;
    const reason = 'nobody repaired it in time';
    await recordFailure(call, { attempt, failure, reason, next: { do: 'fail' } });
    throw error;
  }

  return {
    async run(first) {
      let call = first;
      for (;;) {
        try {
          return await deliveries.run(call);
        } catch (thrown) {
          if (!(thrown instanceof LastFailure)) throw thrown;
          call = { ...call, task: thrown.task };
          const { repair, accepted, image } = await untilRepaired(call, thrown);
          if (accepted.do === 'result')
            return { output: accepted.output, supplied: repair.do === 'skip' ? 'skipped' : 'by-hand' };
          if (accepted.do === 'abort') throw aborted(call, repair, thrown.error);
          // A repaired spec is of the code that the run had then: it may have been moved since.
          const { spec, input, build = call.task.build } = accepted;
          call = { ...call, task: { ...call.task, spec, input, build, ...(image && { image }) } };
        }
      }
    },
  };
}

const aborted = ({ task }: StepCall, { by, reason }: Repair, cause: MillraceError): StepAborted =>
  new StepAborted(`Step \`${task.path}\` was ended by ${by}${reason === undefined ? '' : `: ${reason}`}.`, {
    run: task.run,
    step: task.path,
    hint: `It had failed: ${cause.what}`,
    fields: { by, ...(reason !== undefined && { reason }), failure: failureInfo(cause, {}) },
    cause,
  });
