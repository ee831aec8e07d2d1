import type { Logger } from 'pino';
import type { Catalog, ProjectedRows } from '../store/catalog.js';
import { isRefusedRow } from '../store/refused-row.js';

/** Writes rows to the catalog behind the work: many small changes become one transaction. */
export interface Projector extends AsyncDisposable {
  /** Takes rows; they are in the catalog within `delayMs`. */
  add(rows: ProjectedRows): void;
  /** Waits until every row taken so far is in the catalog. */
  flush(): Promise<void>;
  /** Writes what is left. A catalog that stays broken for two seconds is an error then: the process is about to end. */
  [Symbol.asyncDispose](): Promise<void>;
}

const kinds = ['steps', 'attempts', 'metrics', 'artifacts', 'cacheUses', 'timeline'] as const;
type Pending = { -readonly [K in (typeof kinds)[number]]: NonNullable<ProjectedRows[K]>[number][] };
const nothing = (): Pending => ({
  steps: [],
  attempts: [],
  metrics: [],
  artifacts: [],
  cacheUses: [],
  timeline: [],
});

/** @param options.delayMs longest time a row waits for company; default 40 */
export function createProjector(
  catalog: Catalog,
  options: { readonly logger: Logger; readonly delayMs?: number },
): Projector {
  const { logger, delayMs = 40 } = options;
  let pending = nothing();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  function write(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (kinds.every((kind) => pending[kind].length === 0)) return writing;
    const rows = pending;
    pending = nothing();
    writing = writing.then(() => writeWithRetries(rows));
    return writing;
  }

  let givingUp = false;
  async function writeWithRetries(rows: ProjectedRows): Promise<void> {
    for (let pause = 100; ; pause = Math.min(pause * 2, 5_000)) {
      try {
        return await catalog.project(rows);
      } catch (error) {
        if (isRefusedRow(error)) return writeOneByOne(rows, error);
        // Rows are kept until they are written: the reconciler can restore states, but not metrics.
        logger.warn({ err: error, pauseMs: pause }, 'catalog not writable, trying again');
        if (givingUp && pause > 1_000) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  /** One row that can never be written must not hold up all others. */
  async function writeOneByOne(rows: ProjectedRows, error: unknown): Promise<void> {
    const single = kinds.flatMap((kind) =>
      (rows[kind] ?? []).map((row): ProjectedRows => ({ [kind]: [row] })),
    );
    if (single.length === 1)
      return logger.error({ rows, err: error }, 'the catalog can never take this row; it is left out');
    for (const row of single) await writeWithRetries(row);
  }

  return {
    add(rows) {
      for (const kind of kinds) (pending[kind] as unknown[]).push(...(rows[kind] ?? []));
      // Whoever flushes next is told of a failure; here nobody waits.
      timer ??= setTimeout(() => void write().catch(() => undefined), delayMs);
    },
    flush: write,
    async [Symbol.asyncDispose]() {
      givingUp = true;
      await write();
    },
  };
}
