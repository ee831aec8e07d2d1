import { text } from 'node:stream/consumers';
import { walkArtifacts } from '../sdk/artifact.js';
import { inlineValue } from '../sdk/check-size.js';
import { ArtifactCorrupt, ArtifactMissing } from '../sdk/errors.js';
import type { StoredValue } from '../sdk/stored-value.js';
import { isStoredValue } from '../sdk/stored-value.js';
import type { ArtifactStore } from './artifact-store.js';
import type { Catalog, StepRecord } from './catalog.js';
import type { HeldContent } from './garbage-catalog.js';

/**
 * The catalog, keeping large JSON (inputs, outputs, evidence) out of its rows: they hold the digest, the store holds the JSON.
 * Rows are read as they are; who wants the value asks `restoreValue`.
 */
export function valuesByReference(catalog: Catalog, store: ArtifactStore): Catalog {
  const known = new WeakMap<object, { readonly run: string; readonly held: Promise<StoredValue> }>();

  /** The value, or what stands for it. Rows of one step bring the same object several times. */
  async function shrink(run: string, value: unknown): Promise<unknown> {
    // A row that was read is written back as it was.
    if (isStoredValue(value)) return value;
    const json = JSON.stringify(value);
    if (json === undefined || Buffer.byteLength(json) < inlineValue) return value;
    if (typeof value !== 'object' || value === null) return hold(run, value, json);
    const before = known.get(value);
    if (before?.run === run) return before.held;
    const held = hold(run, value, json);
    known.set(value, { run, held });
    held.catch(() => known.delete(value));
    return held;
  }

  /** First the content, then the word that the run holds it, then the row that names it: garbage collection may look between any two. */
  async function hold(run: string, value: unknown, json: string): Promise<StoredValue> {
    const { digest, size } = await store.putBytes(json);
    const at = new Date().toISOString();
    const content: HeldContent[] = [{ run, digest, type: 'file', size, at }];
    walkArtifacts(value, (ref) => content.push({ ...ref, run, at }));
    await catalog.garbage.hold(content);
    return { $value: digest, size };
  }

  async function shrunk<T extends object>(run: string, record: T, fields: readonly (keyof T)[]): Promise<T> {
    const changed: Partial<T> = {};
    for (const field of fields) {
      const value: unknown = record[field];
      if (value === undefined) continue;
      const small = await shrink(run, value);
      if (small !== value) changed[field] = small as never;
    }
    return Object.keys(changed).length === 0 ? record : { ...record, ...changed };
  }
  const shrunkStep = (step: StepRecord) => shrunk(step.run, step, ['input', 'output']);

  return {
    ...catalog,
    insertRun: async (run) => catalog.insertRun(await shrunk(run.id, run, ['input', 'output'])),
    updateRun: async (run) => catalog.updateRun(await shrunk(run.id, run, ['input', 'output'])),
    project: async (rows) =>
      catalog.project(rows.steps ? { ...rows, steps: await Promise.all(rows.steps.map(shrunkStep)) } : rows),
    recordGate: async (gate) => catalog.recordGate(await shrunk(gate.run, gate, ['evidence'])),
    openApproval: async (approval) =>
      catalog.openApproval(await shrunk(approval.run, approval, ['evidence'])),
    cache: {
      ...catalog.cache,
      commit: async (entry, token) => catalog.cache.commit(await shrunk(entry.run, entry, ['output']), token),
      // Who takes a result wants all of it; one whose value is lost is none.
      async entry(key) {
        const entry = await catalog.cache.entry(key);
        if (!entry || !isStoredValue(entry.output)) return entry;
        const output = await restoreValue(entry.output, store).catch((error: unknown) => {
          if (error instanceof ArtifactMissing || error instanceof ArtifactCorrupt) return undefined;
          throw error;
        });
        return output === undefined ? undefined : { ...entry, output };
      },
    },
    registerVersion: async (version) =>
      catalog.registerVersion(await shrunk(version.run, version, ['evidence'])),
  };
}

/** A value out of the catalog as it was written. @throws ArtifactMissing, ArtifactCorrupt */
export const restoreValue = async (value: unknown, store: ArtifactStore): Promise<unknown> =>
  isStoredValue(value) ? (JSON.parse(await text(await store.read(value.$value))) as unknown) : value;
