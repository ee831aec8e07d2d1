import { appendFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Writable } from 'node:stream';
import pino from 'pino';
import { attemptLog } from '../../../../client/attempt-log.js';
import { statePaths } from '../../../../config/state-paths.js';
import type { ArtifactStore } from '../../../../store/artifact-store.js';
import type { Catalog } from '../../../../store/catalog.js';
import { temporaryFolder } from '../../../support/temporary-folder.js';
import { anAttempt } from '../../store/records.js';

export const place = { run: 'run-1', path: 'train', attempt: 1 };

/** A host with a state directory of its own, on which an attempt has a log. */
export async function openLogHost({
  store,
  catalog,
}: {
  readonly store: ArtifactStore;
  readonly catalog: Catalog;
}) {
  const paths = statePaths(await temporaryFolder());
  const warnings: string[] = [];
  const logger = pino(
    { level: 'warn' },
    new Writable({ write: (line, _, done) => (warnings.push((JSON.parse(String(line)) as { msg: string }).msg), done()) }),
  ); // prettier-ignore
  const env = { paths, store, catalog, logger };
  const file = paths.attemptLog(place.run, place.path, place.attempt);
  await mkdir(path.dirname(file), { recursive: true });
  /** What the program prints: lines without their time and stream. */
  const print = (text: string) =>
    appendFile(file, text.replaceAll(/^(?=.)/gm, '2026-01-01T00:00:00.123456789Z out '));
  return { env, file, log: { ...place, file, env }, warnings, print };
}

/** What somebody reads of an attempt's log, from where it was left. */
export function openReader(parts: Parameters<typeof attemptLog>[1]) {
  const log = attemptLog(place, parts);
  return async (row = anAttempt(), last = true): Promise<string[]> => {
    const lines: string[] = [];
    for await (const line of log.read(row, { last })) lines.push(line.slice(35));
    return lines;
  };
}
