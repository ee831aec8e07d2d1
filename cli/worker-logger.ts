import path from 'node:path';
import { stderr } from 'node:process';
import type { DestinationStream, Logger } from 'pino';
import type { Config } from '../config/config.js';

/** Log of a worker that shares the terminal with something else: a file; `echo` also shows warnings and errors on stderr. */
export async function fileLogger(
  { stateDir, logLevel }: Config,
  { echo }: { readonly echo: boolean },
): Promise<{ readonly logger: Logger; readonly file: string }> {
  const { pino } = await import('pino');
  const file = path.join(stateDir, 'logs', 'worker.log');
  const toFile = pino.destination({ dest: file, mkdir: true, sync: false });
  if (!echo) return { logger: pino({ level: logLevel }, toFile), file };
  const streams = [
    { level: 'trace' as const, stream: toFile },
    { level: 'warn' as const, stream: await prettyStream() },
  ];
  return { logger: pino({ level: logLevel }, pino.multistream(streams)), file };
}

/** Log of a worker that has its process to itself: for people on a terminal, JSON lines elsewhere. */
export async function processLogger(
  { logLevel }: Config,
  { people }: { readonly people: boolean },
): Promise<Logger> {
  const { pino } = await import('pino');
  return people ? pino({ level: logLevel }, await prettyStream()) : pino({ level: logLevel });
}

async function prettyStream(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  const colorize = stderr.isTTY && !process.env['NO_COLOR'];
  return pretty({ colorize, destination: 2, sync: true, translateTime: 'HH:MM:ss', ignore: 'pid,hostname' });
}
