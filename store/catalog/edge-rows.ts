import type { Digest } from '../../sdk/artifact.js';
import type { ArtifactRecord } from '../catalog.js';
import type { Edges } from '../edges.js';
import { toEdge } from './artifact-rows.js';
import { toApproval, toGate } from './decision-rows.js';
import { toVersion } from './model-rows.js';
import type { CatalogDb } from './tables.js';

export const kyselyEdges = (db: CatalogDb): Edges => ({
  async steps(digest, direction, limit) {
    const of = (query = db.selectFrom('artifacts')) =>
      query.where('digest', '=', digest).where('direction', '=', direction);
    const rows = await of()
      .selectAll()
      .orderBy('at')
      .orderBy('run')
      .orderBy('path')
      .orderBy('field')
      .limit(limit)
      .execute();
    const items: readonly ArtifactRecord[] = rows.map(toEdge);
    if (items.length < limit) return { items, total: items.length };
    const counted = await of()
      .select(({ fn }) => fn.countAll().as('count'))
      .executeTakeFirst();
    return { items, total: Number(counted?.count ?? items.length) };
  },

  async versions(digest) {
    const rows = await db
      .selectFrom('model_versions')
      .selectAll()
      .where('model', 'like', containing(digest))
      .orderBy('name')
      .orderBy('version')
      .execute();
    return rows.map(toVersion).filter(({ model }) => model.digest === digest);
  },

  async decisions(digest, limit) {
    const text = containing(digest);
    const [gates, approvals] = await Promise.all([
      db.selectFrom('gates').selectAll().where('evidence', 'like', text).orderBy('at').limit(limit).execute(),
      db
        .selectFrom('approvals')
        .selectAll()
        .where('evidence', 'like', text)
        .orderBy('opened_at')
        .limit(limit)
        .execute(),
    ]);
    return { gates: gates.map(toGate), approvals: approvals.map(toApproval) };
  },

  async approvalsOf({ name, version }) {
    // A version is written as JSON: this finds it and some more, which the comparison leaves out.
    const rows = await db
      .selectFrom('approvals')
      .selectAll()
      .where('of', 'like', containing(`"version":${version}`))
      .orderBy('opened_at')
      .execute();
    return rows.map(toApproval).filter(({ of }) => of?.name === name && of.version === version);
  },

  async runsGiven(digest, limit) {
    const rows = await db
      .selectFrom('runs')
      .select('id')
      .where('input', 'like', containing(digest))
      .orderBy('started_at')
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map(({ id }) => id);
  },

  async beginning(start, limit) {
    // A range, which the index on digests serves; digits of digests sort before `g` in every collation.
    const rows = await db
      .selectFrom('artifacts')
      .select('digest')
      .distinct()
      .where('digest', '>=', start as Digest)
      .where('digest', '<', `${start}g` as Digest)
      .orderBy('digest')
      .limit(limit)
      .execute();
    const found = new Set(rows.map(({ digest }) => digest));
    const models = await db
      .selectFrom('model_versions')
      .select('model')
      .where('model', 'like', containing(`"digest":"${start}`))
      .limit(limit)
      .execute();
    for (const { model } of models) found.add((JSON.parse(model) as { readonly digest: Digest }).digest);
    const inputs = await db
      .selectFrom('runs')
      .select('input')
      .where('input', 'like', containing(`"digest":"${start}`))
      .limit(limit)
      .execute();
    const pattern = new RegExp(`"digest":"(${start}[0-9a-f]*)"`, 'g');
    for (const { input } of inputs)
      for (const [, digest] of (input ?? '').matchAll(pattern)) found.add(digest as Digest);
    return [...found].sort().slice(0, limit);
  },
});

/** Digests and numbers hold no sign that LIKE reads otherwise. */
const containing = (text: string): string => `%${text}%`;
