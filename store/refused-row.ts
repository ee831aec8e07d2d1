/** Result codes of SQLite that say the row itself is at fault: trying again cannot help. */
const permanent = /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE)/;

/** Whether the catalog will never take what it was given, as opposed to a catalog that cannot be written just now. */
export const isRefusedRow = (error: unknown): boolean =>
  error instanceof TypeError ||
  error instanceof RangeError ||
  permanent.test(String((error as { readonly code?: unknown } | undefined)?.code));
