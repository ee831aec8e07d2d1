import { isMillraceError } from '../sdk/errors.js';
import type { FailureInfo } from '../sdk/protocol/failure.js';
import type { Colors } from './output.js';

/** An error as it is printed: a block for people, `{"error": …}` with --json. */
export type ErrorReport = {
  /** A code of docs/errors.md; `USAGE` for a wrong command line; `UNEXPECTED` for what is none of ours. */
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly fields?: Readonly<Record<string, unknown>>;
};

export function errorReport(error: unknown): ErrorReport {
  if (!isMillraceError(error)) {
    return {
      code: 'UNEXPECTED',
      message: error instanceof Error ? error.message : String(error),
      hint: 'This is not foreseen. MILLRACE_DEBUG=1 prints where it happened.',
    };
  }
  const { code, what, place, hint, fields } = error;
  return failureReport({ code, what, ...place, fields, ...(hint !== undefined && { hint }) });
}

/** A failure out of the catalog, as its error would be printed. */
export function failureReport({ code, what, hint, fields, ...place }: FailureInfo): ErrorReport {
  const where = (['run', 'step', 'attempt'] as const)
    .filter((part) => place[part] !== undefined)
    .map((part) => `${part}=${place[part]}`)
    .join(' ');
  return {
    code,
    message: where ? `${what.trimEnd()} [${where}]` : what.trimEnd(),
    ...(hint !== undefined && { hint }),
    ...(fields && Object.keys(fields).length > 0 && { fields }),
  };
}

/** `error CODE: message`, then the last log lines and the hint where there are any. */
export function formatErrorReport({ code, message, hint, fields }: ErrorReport, colors: Colors): string {
  const tail = logTail(fields);
  return [
    `${colors.red('error')} ${colors.bold(code)}: ${message}`,
    ...tail.map((line) => colors.dim(`  | ${line}`)),
    ...(hint === undefined ? [] : [`  ${colors.cyan('→')} ${hint}`]),
  ].join('\n');
}

/** The last lines a step printed, where its failure carries them. */
export function logTail(fields: Readonly<Record<string, unknown>> | undefined): readonly string[] {
  const tail = fields?.['logTail'];
  const lines = typeof tail === 'string' ? tail.split('\n') : Array.isArray(tail) ? tail.map(String) : [];
  return lines.map((line) => line.replace(logPrefix, '')).filter((line) => line.trim() !== '');
}

/** Time and stream, as attempts' logs have them: what failed just now needs neither. */
const logPrefix = /^\d{4}-\d{2}-\d{2}T\S+ (?:out|err) /;
