import { Context } from '@temporalio/activity';
import { heartbeatMs } from './heartbeat-interval.js';

/** Does a thing while Temporal is told that this worker lives: of one that died it hears within the activity's `heartbeatTimeout`. */
export async function whileBeating<T>(work: (context: Context) => Promise<T>): Promise<T> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), heartbeatMs);
  try {
    return await work(context);
  } finally {
    clearInterval(beat);
  }
}
