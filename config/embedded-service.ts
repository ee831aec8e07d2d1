import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** The Temporal service that runs for a state directory, as `<stateDir>/temporal.json` tells all processes. */
export type EmbeddedService = {
  readonly pid: number;
  /** host:port */
  readonly address: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** File the service keeps its state in: its command line bears it, and so tells it from another program of that pid. */
  readonly database: string;
  /** Where its console answers, when it was asked for. */
  readonly ui?: string | undefined;
  /** Process that stops it at its end; absent when it lives on. */
  readonly owner?: number | undefined;
};

const schema = z.object({
  pid: z.number().int().positive(),
  address: z.string(),
  startedAt: z.string(),
  database: z.string(),
  ui: z.string().optional(),
  owner: z.number().int().positive().optional(),
});

/** What is recorded; the service may have died since. Undefined without a record, or with one that is none. */
export async function readEmbeddedService(stateDir: string): Promise<EmbeddedService | undefined> {
  const text = await readFile(recordFile(stateDir), 'utf8').catch(() => undefined);
  try {
    return text === undefined ? undefined : schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export async function writeEmbeddedService(stateDir: string, service: EmbeddedService): Promise<void> {
  const draft = `${recordFile(stateDir)}.${randomBytes(4).toString('hex')}`;
  await writeFile(draft, `${JSON.stringify(service)}\n`);
  await rename(draft, recordFile(stateDir));
}

export const removeEmbeddedService = (stateDir: string): Promise<void> =>
  rm(recordFile(stateDir), { force: true });

const recordFile = (stateDir: string): string => join(stateDir, 'temporal.json');
