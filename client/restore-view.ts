import type { ArtifactStore } from '../store/artifact-store.js';
import { restoreValue } from '../store/values-by-reference.js';
import type { RunView } from './views.js';

/** A view with its large values read from the store. @throws ArtifactMissing, ArtifactCorrupt */
export async function restoreView(view: RunView, store: ArtifactStore): Promise<RunView> {
  const restored = <T extends object>(record: T, fields: readonly (keyof T)[]) =>
    restore(record, fields, store);
  return {
    ...view,
    run: await restored(view.run, ['input', 'output']),
    steps: await each(view.steps, async (step) => ({
      ...(await restored(step, ['input', 'output'])),
      ...(step.child && { child: await restoreView(step.child, store) }),
    })),
    gates: await each(view.gates, (gate) => restored(gate, ['evidence'])),
    approvals: await each(view.approvals, (approval) => restored(approval, ['evidence'])),
    versions: await each(view.versions, (version) => restored(version, ['evidence'])),
  };
}

async function restore<T extends object>(
  record: T,
  fields: readonly (keyof T)[],
  store: ArtifactStore,
): Promise<T> {
  const whole = { ...record };
  for (const field of fields)
    if (field in whole) whole[field] = (await restoreValue(whole[field], store)) as never;
  return whole;
}

/** One after the other: each may be large. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<T>): Promise<readonly T[]> {
  const done: T[] = [];
  for (const item of items) done.push(await work(item));
  return done;
}
