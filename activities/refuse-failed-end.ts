import { formatBytes } from '../sdk/bytes.js';
import { AttemptPreempted, DiskLimit, OutOfMemory, StepFailed, StepTimeout } from '../sdk/errors.js';
import { sentence } from '../sdk/sentence.js';
import type { StepEvent } from '../sdk/step-contract.js';
import { exitCodes } from '../sdk/step-contract.js';
import type { Attempt } from './attempt.js';
import type { ExecutionEnd } from './executors/executor.js';
import type { DiskState } from './full-disk.js';
import { refuseFullDisk } from './full-disk.js';
import { lastLines } from './last-lines.js';

/** What a program said of its own failure. */
export type FailureEvent = Extract<StepEvent, { type: 'failure' }>;

export type FailedEnd = {
  readonly end: ExecutionEnd;
  readonly failure: FailureEvent | undefined;
  readonly log: string;
  readonly disk: DiskState | undefined;
};

/** Turns an end that is no success into the error people read. */
export async function refuseFailedEnd(
  { task, signal }: Attempt,
  { end, failure, log, disk }: FailedEnd,
): Promise<void> {
  const { spec, run, path: step } = task;
  const hint = `See \`millrace logs ${run} ${step}\`.`;
  if (end.reason === 'exited' && end.exitCode === 0) return;
  const logTail = await lastLines(log, 50);
  switch (end.reason) {
    case 'cancelled':
      signal.throwIfAborted();
      return;
    case 'timeout':
      throw new StepTimeout(`Step \`${spec.name}\` ran longer than its limit of ${spec.timeoutMs} ms.`, {
        hint: `Raise its \`timeout\`. ${hint}`,
        fields: { limit: 'attempt', logTail },
      });
    case 'out-of-memory':
      throw new OutOfMemory(
        `Step \`${spec.name}\` needed more than its ${formatBytes(spec.resources.memory)} of memory.`,
        { hint: `Raise \`resources.memory\`. ${hint}`, fields: { logTail } },
      );
    case 'disk-limit':
      throw new DiskLimit(
        `Step \`${spec.name}\` wrote more than its ${formatBytes(spec.resources.disk)} of disk.`,
        { hint: `Raise \`resources.disk\` or write less. ${hint}`, fields: { logTail } },
      );
    case 'stopped-outside':
    case 'left':
      throw new AttemptPreempted(
        end.reason === 'left'
          ? `The worker stops, and the process of step \`${spec.name}\` ended with it.`
          : `Step \`${spec.name}\` was stopped from outside (exit code ${end.exitCode}).`,
        { hint: 'Another attempt follows by itself.', fields: { exitCode: end.exitCode, logTail } },
      );
    case 'exited':
      if (failure?.retryable !== false) refuseFullDisk(disk, logTail);
      throw new StepFailed(
        failure
          ? `Step \`${spec.name}\` failed: ${sentence(failure.message)}`
          : `Step \`${spec.name}\` ended with exit code ${end.exitCode}.`,
        {
          fields: {
            exitCode: end.exitCode,
            logTail,
            retryable: end.exitCode !== exitCodes.nonRetryable && failure?.retryable !== false,
          },
          hint,
        },
      );
  }
}
