import type { NextMove, RecordedFailure, RecordFailure } from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import type { AttemptRecord, StepRecord } from '../store/catalog.js';
import { stepRow } from './step-row.js';
import type { StepEnvironment } from './step-environment.js';

/** The record of what was decided about an attempt that ended without a result. */
export function failureActivities(env: StepEnvironment) {
  const { catalog, projector } = env;
  return {
    async [activityNames.recordFailure](record: RecordFailure): Promise<RecordedFailure> {
      const { run, path, attempt, failure, kind, reason, next, at } = record;
      if (next.do === 'take-up' && (await isGone(env, next))) return { hostGone: true };
      await projector.flush();
      const known = (await catalog.attempts(run, path)).find((each) => each.attempt === attempt);
      if (known && record.anyway !== true && next.do !== 'take-up' && (await hasResult(env, known))) {
        const text = `attempt ${attempt} had ended with a result before it fell silent: that is taken`;
        projector.add({ timeline: [{ run, path, at, attempt, kind: 'recorded', text }] });
        await projector.flush();
        return { hasResult: true };
      }
      projector.add({
        steps: [{ ...stepRow(record, 'step', record.name), ...stateAfter(record) }],
        // An attempt that others go on for must not commit any more.
        ...(known && { attempts: [next.do === 'take-up' ? known : closed(known, record)] }),
        timeline: [
          {
            run,
            path,
            at,
            attempt,
            kind: next.do,
            text: sentenceOf(record),
            data: { kind, code: failure.code, reason, ...next },
          },
        ],
      });
      await projector.flush();
      return {};
    },
  };
}

/** Whether an attempt has a result that the next delivery would be given. */
async function hasResult(
  { catalog }: StepEnvironment,
  { run, path, status }: AttemptRecord,
): Promise<boolean> {
  if (status !== 'completed') return false;
  const step = (await catalog.steps(run)).find((each) => each.path === path);
  return step?.status === 'completed';
}

/** A host that said it goes is not waited for. One that is only silent may be back in a moment: its queue's own time decides. */
async function isGone(
  { catalog }: StepEnvironment,
  { host }: Extract<NextMove, { readonly do: 'take-up' }>,
): Promise<boolean> {
  return (await catalog.hosts.find(host))?.gone === true;
}

function closed(known: AttemptRecord, { failure, at }: RecordFailure): AttemptRecord {
  if (known.status !== 'running') return known;
  return { ...known, status: 'lost', closedAt: at, failure };
}

function stateAfter(record: RecordFailure): Pick<StepRecord, 'status' | 'detail' | 'failure' | 'closedAt'> {
  const { failure, next, at } = record;
  const detail = sentenceOf(record);
  switch (next.do) {
    case 'take-up':
      return { status: 'retrying', detail };
    case 'retry':
      return { status: 'retrying', detail, failure };
    case 'park':
      return { status: 'parked', detail: next.until === undefined ? '' : `until ${next.until}`, failure };
    case 'fail':
      return { status: 'failed', detail: '', failure, closedAt: at };
  }
}

function sentenceOf({ attempt, failure, reason, next }: RecordFailure): string {
  switch (next.do) {
    case 'take-up':
      return `${failure.what} ${capital(reason)}: waits up to ${seconds(next.withinMs)} for it`;
    case 'retry':
      return `tried again${next.waitMs > 0 ? ` in ${seconds(next.waitMs)}` : ''} after attempt ${attempt}: ${reason} (${failure.code})`;
    case 'park':
      return `parked after attempt ${attempt}: ${withCode(reason, failure)}`;
    case 'fail':
      return `failed with attempt ${attempt}: ${withCode(reason, failure)}`;
  }
}

const withCode = (reason: string, { code }: RecordFailure['failure']): string =>
  reason.includes(code) ? reason : `${reason} (${code})`;

const seconds = (ms: number): string => `${Number((ms / 1000).toFixed(1))} s`;
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
