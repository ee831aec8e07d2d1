import type { MillraceClient, RunHandle } from '../client/client.js';
import { isMillraceError, UnknownRun } from '../sdk/errors.js';

/**
 * The run a person means: its id, the beginning of one, or `last` for the newest.
 * @throws UnknownRun when none or several fit
 */
export async function findRun(text: string, client: MillraceClient): Promise<RunHandle> {
  const hint = '`millrace runs` lists them.';
  if (text === 'last') {
    const newest = (await client.runs({ limit: 1 }))[0];
    if (!newest) throw new UnknownRun('There is no run yet.', { hint: 'Start one: millrace run PIPELINE.' });
    return client.run(newest.id);
  }
  if (await exists(text, client)) return client.run(text);
  const found = (await client.runs({ limit: 1_000 })).filter(({ id }) => id.startsWith(text));
  const [run, ...others] = found;
  if (!run) throw new UnknownRun(`There is no run \`${text}\`, and none begins so.`, { hint });
  if (others.length > 0) {
    const named = found.slice(0, 5).map(({ id }) => id);
    throw new UnknownRun(`\`${text}\` fits ${found.length} runs.`, {
      hint: `Give more of the id: ${named.join(', ')}${found.length > named.length ? ', …' : ''}.`,
      fields: { runs: named },
    });
  }
  return client.run(run.id);
}

async function exists(id: string, client: MillraceClient): Promise<boolean> {
  try {
    await client.run(id).view();
    return true;
  } catch (error) {
    if (isMillraceError(error) && error.code === 'UNKNOWN_RUN') return false;
    throw error;
  }
}
