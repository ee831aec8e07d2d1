import type { CancelCause } from './cleanup.js';
import { RunCancelled } from './errors.js';
import type { FailureInfo } from './protocol/failure.js';
import { toFailureInfo } from './protocol/failure.js';
import { sentence } from './sentence.js';

/** What a cancelled run's row says, and one that is being cancelled. */
export function runCancelled(run: string, { by, reason }: CancelCause): FailureInfo {
  const who = by === undefined ? '' : ` by ${by}`;
  const what = `The run was cancelled${who}${reason ? `: ${sentence(reason)}` : '.'}`;
  return toFailureInfo(new RunCancelled(what, { run, fields: { by, reason } }));
}
