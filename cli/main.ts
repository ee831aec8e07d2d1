#!/usr/bin/env node
import { stderr, stdout } from 'node:process';
import { CommanderError } from 'commander';
import { packageVersion } from '../config/package-root.js';
import { errorReport, formatErrorReport } from './error-report.js';
import { exitCodeOfError, exitCodes } from './exit-codes.js';
import { createOutput } from './output.js';
import { createProgram } from './program.js';
import { UsageError } from './usage-error.js';

// A reader that closes its end (`millrace logs last | head`) has what it wanted.
stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

try {
  await createProgram(packageVersion()).parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
exitWhenWritten();

function report(error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.ok;
  if (error instanceof Error && error.name === 'AbortError') return exitCodes.interrupted;
  const shown = error instanceof CommanderError ? usageError(error) : error;
  // The command line may be what could not be read, so it is looked at directly.
  const flags = process.argv.slice(2);
  const output = createOutput({ json: flags.includes('--json'), color: !flags.includes('--no-color') });
  // Help that nobody asked for was printed in place of a message.
  if (!(error instanceof CommanderError && error.code === 'commander.help')) {
    const { code, message, hint, fields } = errorReport(shown);
    output.note(formatErrorReport(errorReport(shown), output.colors));
    output.answer({ error: { code, message, hint, fields } });
  }
  if (process.env['MILLRACE_DEBUG'] === '1')
    stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return exitCodeOfError(shown);
}

function usageError(error: CommanderError): UsageError {
  const [what = '', ...hints] = error.message.replace(/^error: /, '').split('\n');
  const sentence = `${what.charAt(0).toUpperCase()}${what.slice(1)}${/[.!?]$/.test(what) ? '' : '.'}`;
  return new UsageError(sentence, {
    hint: [...hints.map((hint) => hint.replaceAll(/^\(|\)$/g, '')), 'See `millrace --help`.'].join(' '),
    cause: error,
  });
}

/** Ends the process when all is printed: a connection that is still closing must not hold a command back. */
function exitWhenWritten(): void {
  stdout.write('', () => stderr.write('', () => process.exit()));
}
