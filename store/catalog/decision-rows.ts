import type { Selectable } from 'kysely';
import type { ApprovalRecord, Catalog, GateRecord } from '../catalog.js';
import { excluded, fromJson, orAbsent, present, toJson } from './columns.js';
import type { CatalogDb, CatalogTables } from './tables.js';

export async function recordGate(db: CatalogDb, gate: GateRecord): Promise<void> {
  await db
    .insertInto('gates')
    .values({
      run: gate.run,
      path: gate.path,
      outcome: JSON.stringify(gate.outcome),
      evidence: toJson(gate.evidence),
      at: gate.at,
    })
    .onConflict((conflict) =>
      conflict.columns(['run', 'path']).doUpdateSet(excluded(['outcome', 'evidence', 'at'])),
    )
    .execute();
}

export async function gatesOf(db: CatalogDb, run: string): Promise<readonly GateRecord[]> {
  const rows = await db
    .selectFrom('gates')
    .selectAll()
    .where('run', '=', run)
    .orderBy('at')
    .orderBy('path')
    .execute();
  return rows.map(toGate);
}

export const toGate = (row: Selectable<CatalogTables['gates']>): GateRecord =>
  present<GateRecord>({
    run: row.run,
    path: row.path,
    outcome: fromJson(row.outcome),
    evidence: fromJson<unknown>(row.evidence),
    at: row.at,
  });

/** Opens an approval; one that was decided stays decided. */
export async function openApproval(db: CatalogDb, approval: ApprovalRecord): Promise<void> {
  await db
    .insertInto('approvals')
    .values({
      run: approval.run,
      path: approval.path,
      gate: approval.gate,
      of: toJson(approval.of),
      evidence: toJson(approval.evidence),
      opened_at: approval.openedAt,
      until: approval.until ?? null,
      status: approval.status,
      decision: toJson(approval.decision),
    })
    .onConflict((conflict) =>
      conflict
        .columns(['run', 'path'])
        .doUpdateSet(excluded(['gate', 'of', 'evidence', 'opened_at', 'until', 'status', 'decision']))
        .where('approvals.status', '=', 'open'),
    )
    .execute();
}

/** Closes an open approval; the first closing stands. */
export async function closeApproval(
  db: CatalogDb,
  { run, path, status, decision }: Parameters<Catalog['closeApproval']>[0],
): Promise<void> {
  await db
    .updateTable('approvals')
    .set({ status, decision: toJson(decision) })
    .where('run', '=', run)
    .where('path', '=', path)
    .where('status', '=', 'open')
    .execute();
}

/** Oldest first. */
export async function findApprovals(
  db: CatalogDb,
  { run, status }: Parameters<Catalog['approvals']>[0],
): Promise<readonly ApprovalRecord[]> {
  let query = db.selectFrom('approvals').selectAll();
  if (run !== undefined) query = query.where('run', '=', run);
  if (status !== undefined) query = query.where('status', '=', status);
  const rows = await query.orderBy('opened_at').orderBy('run').orderBy('path').execute();
  return rows.map(toApproval);
}

export const toApproval = (row: Selectable<CatalogTables['approvals']>): ApprovalRecord =>
  present<ApprovalRecord>({
    run: row.run,
    path: row.path,
    gate: row.gate,
    of: fromJson(row.of),
    evidence: fromJson<unknown>(row.evidence),
    openedAt: row.opened_at,
    until: orAbsent(row.until),
    status: row.status,
    decision: fromJson(row.decision),
  });
