import type { MillraceClient, RunHandle } from '../client/client.js';
import { isMillraceError, UnknownRun } from '../sdk/errors.js';
import type { Catalog } from '../store/catalog.js';

/**
 * The run a person means: its id, the beginning of one, or `last` for the newest.
 * @throws UnknownRun when none or several fit
 */
export async function findRun(text: string, client: MillraceClient): Promise<RunHandle> {
  const id = await findId(text, {
    runs: (limit) => client.runs({ limit }),
    exists: (id) => exists(id, client),
  });
  return client.run(id);
}

/** The same from the catalog alone: no service is asked. @throws UnknownRun */
export const findRecordedRun = (text: string, catalog: Catalog): Promise<string> =>
  findId(text, {
    runs: (limit) => catalog.runs({ limit }),
    exists: async (id) => (await catalog.run(id)) !== undefined,
  });

type Runs = {
  /** The newest. */
  readonly runs: (limit: number) => Promise<readonly { readonly id: string }[]>;
  readonly exists: (id: string) => Promise<boolean>;
};

async function findId(text: string, known: Runs): Promise<string> {
  const hint = '`millrace runs` lists them.';
  if (text === 'last') {
    const newest = (await known.runs(1))[0];
    if (!newest) throw new UnknownRun('There is no run yet.', { hint: 'Start one: millrace run PIPELINE.' });
    return newest.id;
  }
  if (await known.exists(text)) return text;
  const found = (await known.runs(1_000)).filter(({ id }) => id.startsWith(text));
  const [run, ...others] = found;
  if (!run) throw new UnknownRun(`There is no run \`${text}\`, and none begins so.`, { hint });
  if (others.length > 0) {
    const named = found.slice(0, 5).map(({ id }) => id);
    throw new UnknownRun(`\`${text}\` fits ${found.length} runs.`, {
      hint: `Give more of the id: ${named.join(', ')}${found.length > named.length ? ', …' : ''}.`,
      fields: { runs: named },
    });
  }
  return run.id;
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
