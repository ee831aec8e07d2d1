import type { HeldStep } from '../catalog.js';
import type { CatalogDb } from './tables.js';

/** Steps of open runs that wait for a person, those of child runs at their place below the run that began it all. */
export async function heldSteps(db: CatalogDb): Promise<readonly HeldStep[]> {
  const rows = await db
    .selectFrom('steps')
    .innerJoin('runs', 'runs.id', 'steps.run')
    .select(['steps.run', 'steps.path', 'steps.status', 'steps.scheduled_at'])
    .where('runs.status', '=', 'running')
    .where('steps.status', 'in', ['parked', 'waiting'])
    .orderBy('steps.scheduled_at')
    .orderBy('steps.path')
    .execute();
  const held: HeldStep[] = [];
  for (const { run, path, status } of rows) {
    const place = await fromTop(db, run, path);
    held.push({ ...place, status: status === 'parked' ? 'parked' : 'waiting' });
  }
  return held;
}

async function fromTop(db: CatalogDb, run: string, path: string): Promise<Pick<HeldStep, 'run' | 'path'>> {
  const found = await db
    .selectFrom('runs')
    .select(['parent_run', 'parent_path'])
    .where('id', '=', run)
    .executeTakeFirst();
  if (!found?.parent_run) return { run, path };
  return fromTop(db, found.parent_run, `${found.parent_path}/${path}`);
}
