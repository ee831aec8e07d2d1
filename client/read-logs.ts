import { setTimeout as pause } from 'node:timers/promises';
import type { StatePaths } from '../config/state-paths.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { AttemptRecord, Catalog } from '../store/catalog.js';
import type { AttemptLog } from './attempt-log.js';
import { attemptLog } from './attempt-log.js';
import type { LogLine } from './client.js';

export type LogsOptions = {
  readonly run: string;
  readonly step: string | undefined;
  readonly attempt: number | undefined;
  readonly follow: boolean;
  readonly signal: AbortSignal | undefined;
  readonly catalog: Catalog;
  readonly store: ArtifactStore;
  readonly paths: StatePaths;
  /** Whether more may come. */
  readonly isOpen: () => Promise<boolean>;
};

/** Lines of attempts in order of their start: from this host's files where it has them, else from the store. */
export async function* readLogs(options: LogsOptions): AsyncIterable<LogLine> {
  const { run, step, follow, signal, catalog, isOpen } = options;
  const wanted = ({ shown, attempt }: ShownAttempt) =>
    (step === undefined || shown === step || attempt.path === step) &&
    (options.attempt === undefined || attempt.attempt === options.attempt);
  const logs = new Map<string, AttemptLog>();
  for (;;) {
    const open = follow && (await isOpen());
    const attempts = (await attemptsOfTree(run, catalog)).filter(wanted);
    for (const each of attempts.sort((a, b) => a.attempt.startedAt.localeCompare(b.attempt.startedAt))) {
      const key = `${each.shown} ${each.attempt.attempt}`;
      const log = logs.get(key) ?? attemptLog(each.attempt, options);
      logs.set(key, log);
      for await (const line of log.read(each.attempt, { last: !open })) {
        if (signal?.aborted) return;
        yield logLine(line, each);
      }
    }
    if (!open || signal?.aborted) return;
    await pause(lookMs, undefined, { signal }).catch(() => undefined);
  }
}

const lookMs = 300;

/** An attempt and its step's place in the tree of the run: `child/train`. */
type ShownAttempt = { readonly attempt: AttemptRecord; readonly shown: string };

async function attemptsOfTree(run: string, catalog: Catalog, prefix = ''): Promise<ShownAttempt[]> {
  const own = (await catalog.attempts(run)).map((attempt) => ({ attempt, shown: prefix + attempt.path }));
  const children = await catalog.runs({ parent: run, limit: 1_000 });
  const below = children.map((child) =>
    attemptsOfTree(child.id, catalog, `${prefix}${child.parent?.path ?? child.id}/`),
  );
  return [...own, ...(await Promise.all(below)).flat()];
}

function logLine(line: string, { attempt: { attempt }, shown }: ShownAttempt): LogLine {
  const [, at = '', stream = 'out', text = line] = /^(\S+) (out|err) ([^]*)$/.exec(line) ?? [];
  return { path: shown, attempt, at, stream: stream === 'err' ? 'err' : 'out', text };
}
