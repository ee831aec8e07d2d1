import { defaultCheckpoint } from '../../sdk/checkpoint-spec.js';
import type { Attempt } from '../attempt.js';
import { runInExecutor } from '../run-in-executor.js';
import { workKey } from '../work-key.js';
import { storingCheckpoints } from './storing-checkpoints.js';

/** Runs the attempt's program, its checkpoint stored meanwhile, also of one that is taken up from an earlier worker. */
export function runWithCheckpoints(attempt: Attempt): Promise<Readonly<Record<string, unknown>>> {
  const { task, signal, leave, env } = attempt;
  const { run, path } = task;
  const spec = task.spec.checkpoint ?? defaultCheckpoint;
  const work = () => runInExecutor(attempt);
  if (spec === false) return work();
  const folder = env.paths.attempt(run, path, attempt.attempt);
  const atEnd = () => (leave.aborted ? 'left' : signal.aborted ? 'stopped' : 'failed');
  const place = { run, path, attempt: attempt.attempt, work: workKey(task), folder, env };
  return storingCheckpoints(place, { spec, atEnd }, work);
}
