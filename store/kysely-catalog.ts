import type { Catalog } from './catalog.js';
import { artifactsOf } from './catalog/artifact-rows.js';
import { attemptsOf, metricsOf } from './catalog/attempt-rows.js';
import { buildById, currentBuild, publishBuild } from './catalog/build-rows.js';
import { cacheIndex } from './catalog/cache-rows.js';
import { kyselyCheckpoints } from './catalog/checkpoint-rows.js';
import { closeApproval, findApprovals, gatesOf, openApproval, recordGate } from './catalog/decision-rows.js';
import { contentRows } from './catalog/content-rows.js';
import { effectsOf } from './catalog/effect-rows.js';
import { garbageRows } from './catalog/garbage-rows.js';
import { kyselyLogChunks } from './catalog/log-chunk-rows.js';
import { aliasHistory, findModels, registerVersion, setAlias } from './catalog/model-rows.js';
import { kyselyEdges } from './catalog/edge-rows.js';
import { kyselyHosts } from './catalog/host-rows.js';
import { kyselyOutbox } from './catalog/outbox-rows.js';
import { kyselyMoves } from './catalog/move-rows.js';
import { projectRows } from './catalog/project-rows.js';
import { heldSteps } from './catalog/held-steps.js';
import {
  findRuns,
  insertRun,
  noticeOverdue,
  openRuns,
  pausedRuns,
  runById,
  updateRun,
} from './catalog/run-rows.js';
import { stepsOf } from './catalog/step-rows.js';
import type { CatalogDb } from './catalog/tables.js';
import { timelineOf } from './catalog/timeline-rows.js';

/**
 * The catalog on a database that Kysely speaks to; what is particular to one lies in its dialect and in catalog/exclusive.ts,
 * by which every transaction that reads and then writes excludes others about the same.
 */
export function kyselyCatalog(db: CatalogDb, location: string): Catalog {
  return {
    location,
    cache: cacheIndex(db),
    outbox: kyselyOutbox(db),
    edges: kyselyEdges(db),
    hosts: kyselyHosts(db),
    checkpoints: kyselyCheckpoints(db),
    moves: kyselyMoves(db),
    logChunks: kyselyLogChunks(db),

    publishBuild: (build) => publishBuild(db, build),
    currentBuild: (queue) => currentBuild(db, queue),
    build: (id) => buildById(db, id),

    insertRun: (run) => insertRun(db, run),
    updateRun: (run) => updateRun(db, run),
    run: (id) => runById(db, id),
    runs: (filter) => findRuns(db, filter),
    openRuns: (queue) => openRuns(db, queue),
    noticeOverdue: (run, at) => noticeOverdue(db, run, at),
    pausedRuns: () => pausedRuns(db),
    heldSteps: () => heldSteps(db),

    project: (rows) => projectRows(db, rows),
    steps: (run) => stepsOf(db, run),
    attempts: (run, path) => attemptsOf(db, run, path),
    metrics: (run, path) => metricsOf(db, run, path),
    timeline: (run, path) => timelineOf(db, run, path),
    artifacts: (run) => artifactsOf(db, run),

    recordGate: (gate) => recordGate(db, gate),
    gates: (run) => gatesOf(db, run),
    openApproval: (approval) => openApproval(db, approval),
    closeApproval: (closed) => closeApproval(db, closed),
    approvals: (filter) => findApprovals(db, filter),

    registerVersion: (version) => registerVersion(db, version),
    setAlias: (change) => setAlias(db, change),
    models: () => findModels(db),
    model: async (name) => (await findModels(db, name))[0],
    aliasHistory: (name, alias) => aliasHistory(db, name, alias),

    effects: (run) => effectsOf(db, run),

    contents: contentRows(db),
    garbage: garbageRows(db),

    [Symbol.asyncDispose]: () => db.destroy(),
  };
}
