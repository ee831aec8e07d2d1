import type { HeldStatus } from '../sdk/states.js';
import { heldStatuses } from '../sdk/states.js';
import type { Catalog, HeldStep, RunFilter, RunRecord } from '../store/catalog.js';
import type { ClientParts } from './client-parts.js';
import { reconcileAll } from './client-parts.js';

/** @property status also what open runs wait with, child runs included */
export type RunListFilter = Omit<RunFilter, 'status'> & {
  readonly status?: RunRecord['status'] | HeldStatus;
};

/** @property held its steps that wait for a person, by their path from this run */
export type ListedRun = RunRecord & { readonly held: readonly Omit<HeldStep, 'run'>[] };

/** Runs, newest first, with what they wait for. Open ones that are shown are brought in line with the service first. */
export async function listRuns(parts: ClientParts, filter: RunListFilter): Promise<readonly ListedRun[]> {
  const { catalog } = parts;
  const { status, ...all } = filter;
  const open = isHeld(status) ? find(filter, catalog) : catalog.runs({ ...all, status: 'running' });
  await reconcileAll(await open, parts);
  return find(filter, catalog);
}

async function find(
  { status, limit = 50, ...filter }: RunListFilter,
  catalog: Catalog,
): Promise<readonly ListedRun[]> {
  const held = await catalog.heldSteps();
  const listed = (run: RunRecord): ListedRun => ({
    ...run,
    held: held.flatMap(({ run: of, ...step }) => (of === run.id ? [step] : [])),
  });
  if (!isHeld(status)) {
    const wanted = status === undefined ? {} : { status };
    return (await catalog.runs({ ...filter, limit, ...wanted })).map(listed);
  }
  const fits = ({ paused, held: steps }: ListedRun): boolean =>
    status === 'paused' ? paused !== undefined : steps.some((step) => step.status === status);
  // What waits may be older than the newest runs.
  const open = await catalog.runs({ ...filter, status: 'running', limit: mostOpen });
  return open.map(listed).filter(fits).slice(0, limit);
}

const isHeld = (status: RunListFilter['status']): status is HeldStatus =>
  heldStatuses.some((each) => each === status);

const mostOpen = 100_000;
