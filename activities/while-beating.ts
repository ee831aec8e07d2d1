import { Context } from '@temporalio/activity';

const beatMs = 3_000;

/** Does a thing while Temporal is told that this worker lives: of one that died it hears within the activity's `heartbeatTimeout`. */
export async function whileBeating<T>(work: (context: Context) => Promise<T>): Promise<T> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), beatMs);
  try {
    return await work(context);
  } finally {
    clearInterval(beat);
  }
}
