import { MillraceError } from '../sdk/errors.js';

/** The command line itself is wrong. Its code is the command's own: it never leaves this process otherwise. */
export class UsageError extends MillraceError {
  constructor(what: string, options?: { readonly hint?: string; readonly cause?: unknown }) {
    super('USAGE', what, options);
  }
}
