import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'libsql';
import type { ArtifactRecord, AttemptRecord, StepRecord } from '../store/catalog.js';
import { openCatalog } from '../store/open-catalog.js';
import { median, report, timed } from './report.js';

const stepsPerRound = 100;

/**
 * What the catalog writes for a step on SQLite: one transaction when it starts, one with what it made when it ends. Floor: the same
 * rows by bare statements with the same pragmas, in two transactions, without reading what was there.
 */
export async function catalogStep(rounds: number): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-bench-'));
  const catalog = await openCatalog(`sqlite:${path.join(folder, 'ours.db')}`);
  const bare = openBare(path.join(folder, 'bare.db'));
  const ours: number[] = [];
  const floor: number[] = [];
  let executed = 0;
  try {
    for (let round = -1; round < rounds; round++) {
      for (let index = 0; index < stepsPerRound; index++) {
        const rows = rowsOf(`run-${round}`, `train#${index}`);
        const time = await timed(async () => {
          await catalog.project({ steps: [rows.running], attempts: [rows.attempt] });
          await catalog.project({
            steps: [rows.completed],
            attempts: [rows.ended],
            artifacts: rows.artifacts,
          });
        });
        const least = await timed(async () => bare.write(rows));
        if (round < 0) continue;
        ours.push(time);
        floor.push(least);
        executed += 1;
      }
    }
  } finally {
    bare.close();
    await catalog[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
  report({
    bench: 'store',
    case: 'catalog-step',
    unit: 'ms',
    value: median(ours),
    floor: median(floor),
    executed,
  });
}

type Rows = {
  readonly running: StepRecord;
  readonly attempt: AttemptRecord;
  readonly completed: StepRecord;
  readonly ended: AttemptRecord;
  readonly artifacts: readonly ArtifactRecord[];
};

function rowsOf(run: string, step: string): Rows {
  const at = new Date().toISOString();
  const running: StepRecord = {
    run, path: step, name: 'train', kind: 'step', status: 'running', scheduledAt: at, detail: '',
    input: { table: artifact('table'), trees: 100 },
  }; // prettier-ignore
  const attempt: AttemptRecord = {
    run, path: step, attempt: 1, status: 'running', executor: 'docker', worker: 'bench', startedAt: at, image: `sha256:${'1'.repeat(64)}`,
  }; // prettier-ignore
  const edge = (direction: ArtifactRecord['direction'], field: string): ArtifactRecord => ({
    run, path: step, direction, field, artifact: artifact(field), at,
  }); // prettier-ignore
  return {
    running,
    attempt,
    completed: { ...running, status: 'completed', output: { model: artifact('model'), auc: 0.8 }, closedAt: at },
    ended: { ...attempt, status: 'completed', closedAt: at, exitCode: 0, cpuSeconds: 1.5, peakMemoryBytes: 2 ** 28, wallSeconds: 2 },
    artifacts: [edge('input', 'table'), edge('output', 'model')],
  }; // prettier-ignore
}

const artifact = (name: string): ArtifactRecord['artifact'] => ({
  $artifact: 'dataset',
  digest: `sha256:${'a'.repeat(64)}`,
  type: 'file',
  size: 1_000,
  name,
});

function openBare(file: string) {
  const database = new Database(file);
  for (const pragma of ['journal_mode = wal', 'synchronous = normal', 'foreign_keys = on'])
    database.exec(`pragma ${pragma}`);
  database.exec(`
    create table steps (run text, path text, name text, kind text, status text, scheduled_at text, closed_at text, input text, output text, primary key (run, path));
    create table attempts (run text, path text, attempt integer, status text, executor text, worker text, image text, started_at text, closed_at text, exit_code integer, cpu_seconds double precision, peak_memory_bytes bigint, wall_seconds double precision, primary key (run, path, attempt));
    create table artifacts (run text, path text, direction text, field text, kind text, digest text, type text, size bigint, name text, at text, primary key (run, path, direction, field));`);
  const step = database.prepare('insert or replace into steps values (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const attempt = database.prepare(
    'insert or replace into attempts values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const edge = database.prepare('insert or replace into artifacts values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const writeStep = (row: StepRecord) =>
    step.run(row.run, row.path, row.name, row.kind, row.status, row.scheduledAt, row.closedAt ?? null, JSON.stringify(row.input), row.output === undefined ? null : JSON.stringify(row.output)); // prettier-ignore
  const writeAttempt = (row: AttemptRecord) =>
    attempt.run(row.run, row.path, row.attempt, row.status, row.executor, row.worker, row.image ?? null, row.startedAt, row.closedAt ?? null, row.exitCode ?? null, row.cpuSeconds ?? null, row.peakMemoryBytes ?? null, row.wallSeconds ?? null); // prettier-ignore
  return {
    write({ running, attempt: begun, completed, ended, artifacts }: Rows): void {
      database.exec('begin immediate');
      writeStep(running);
      writeAttempt(begun);
      database.exec('commit');
      database.exec('begin immediate');
      writeStep(completed);
      writeAttempt(ended);
      for (const { run, path: at, direction, field, artifact: of, at: when } of artifacts)
        edge.run(run, at, direction, field, of.$artifact, of.digest, of.type, of.size, of.name, when);
      database.exec('commit');
    },
    close: () => database.close(),
  };
}
