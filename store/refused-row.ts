/** Result codes of SQLite that say the row itself is at fault: trying again cannot help. */
const sqlite = /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE)/;

/** The same of PostgreSQL, by class: one row twice, wrong data, broken constraint, larger than a limit. */
const postgres = /^(21|22|23|54)[0-9A-Z]{3}$/;

/** Whether the catalog will never take what it was given, as opposed to a catalog that cannot be written just now. */
export function isRefusedRow(error: unknown): boolean {
  const code = String((error as { readonly code?: unknown } | undefined)?.code);
  return (
    error instanceof TypeError || error instanceof RangeError || sqlite.test(code) || postgres.test(code)
  );
}
