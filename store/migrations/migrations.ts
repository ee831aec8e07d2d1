import type { Migration } from 'kysely';
import { firstTables } from './0001-first-tables.js';
import { cache } from './0002-cache.js';
import { outbox } from './0003-outbox.js';
import { garbage } from './0004-garbage.js';
import { attemptResources } from './0005-attempt-resources.js';
import { timeline } from './0006-timeline.js';
import { hosts } from './0007-hosts.js';
import { logChunks } from './0008-log-chunks.js';
import { checkpoints } from './0009-checkpoints.js';
import { recovery } from './0010-recovery.js';
import { runPauses } from './0011-run-pauses.js';
import { dueRuns } from './0012-due-runs.js';
import { checkpointWork } from './0013-checkpoint-work.js';
import { moves } from './0014-moves.js';
import { attemptBuild } from './0019-attempt-build.js';

export type Migrations = Readonly<Record<string, Migration>>;

/**
 * Every migration there is, forward only: names sort in the order they run, and one that was released never changes. They only
 * add: a worker one version older goes on writing to what a newer one has migrated.
 */
export const migrations: Migrations = {
  '0001-first-tables': firstTables,
  '0002-cache': cache,
  '0003-outbox': outbox,
  '0004-garbage': garbage,
  '0005-attempt-resources': attemptResources,
  '0006-timeline': timeline,
  '0007-hosts': hosts,
  '0008-log-chunks': logChunks,
  '0009-checkpoints': checkpoints,
  '0010-recovery': recovery,
  '0011-run-pauses': runPauses,
  '0012-due-runs': dueRuns,
  '0013-checkpoint-work': checkpointWork,
  '0014-moves': moves,
  '0019-attempt-build': attemptBuild,
};
