import type { WorkflowHandle } from '@temporalio/client';
import { deliveryPlace } from '../../sdk/protocol/activity-id.js';
import { activityNames } from '../../sdk/protocol/names.js';
import { formatSpan } from './format-span.js';

export type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
export type HistoryEvent = NonNullable<History['events']>[number];

/** An event of a run's history, for people. */
export type DescribedEvent = {
  readonly id: number;
  /** Temporal's name: `ActivityTaskScheduled`. */
  readonly type: string;
  /** ISO 8601. */
  readonly at: string;
  /** What it is of the pipeline: `step \`train#2\``. */
  readonly words: string;
  /** Path of the call it belongs to, where the history says. */
  readonly step?: string;
};

/** @param type as Temporal's own message names it; default: after its attributes */
export function describeEvent(event: HistoryEvent, type?: string): DescribedEvent {
  const found = looks.map((look) => look(event)).find((each) => each !== undefined);
  return {
    id: Number(event.eventId ?? 0),
    type: type ?? typeOf(event),
    at: timeOf(event),
    ...(found ?? { words: `a ${type ?? typeOf(event)}` }),
  };
}

/** Number of a local activity among the run's own, where the event is the record of one. */
export function localActivityOf({
  markerRecordedEventAttributes: marker,
}: HistoryEvent): { readonly seq: number; readonly type: string } | undefined {
  if (marker?.markerName !== 'core_local_activity') return undefined;
  const data = json(marker.details?.['data']?.payloads?.[0]?.data) as
    { readonly seq?: number; readonly activity_type?: string } | undefined;
  return { seq: data?.seq ?? 0, type: data?.activity_type ?? '' };
}

type Words = Pick<DescribedEvent, 'words' | 'step'>;

/** Each knows one kind of event. */
const looks: readonly ((event: HistoryEvent) => Words | undefined)[] = [
  ({ activityTaskScheduledEventAttributes: scheduled }) => {
    if (!scheduled) return undefined;
    const { activityType, activityId, input } = scheduled;
    const own = ownWords[activityType?.name ?? ''];
    if (own !== undefined) {
      const { path } = (json(input?.payloads?.[0]?.data) ?? {}) as { readonly path?: string };
      return path === undefined ? { words: own } : { words: `\`${path}\``, step: path };
    }
    const { path, attempt } = deliveryPlace(activityId ?? '');
    return { words: `step \`${path}\`${attempt > 1 ? `, attempt ${attempt}` : ''}`, step: path };
  },
  ({ startChildWorkflowExecutionInitiatedEventAttributes: child }) => {
    if (!child) return undefined;
    const step = /\.([^.]+)$/.exec(child.workflowId ?? '')?.[1];
    const name = step ?? child.workflowType?.name;
    return { words: `pipeline \`${name}\``, ...(step !== undefined && { step }) };
  },
  ({ timerStartedEventAttributes: timer }) => {
    if (!timer) return undefined;
    const { seconds, nanos } = timer.startToFireTimeout ?? {};
    return { words: `a wait of ${formatSpan(Number(seconds ?? 0) * 1_000 + (nanos ?? 0) / 1e6)}` };
  },
  (event) => {
    const local = localActivityOf(event);
    if (!local) return undefined;
    const own = ownWords[local.type];
    return own === undefined
      ? { words: `a call of the inline step \`${local.type}\``, step: local.type }
      : { words: own };
  },
  ({ workflowExecutionFailedEventAttributes: failed }) =>
    failed ? { words: 'the failed end of the run' } : undefined,
  ({
    upsertWorkflowSearchAttributesEventAttributes: upsert,
    workflowExecutionCompletedEventAttributes: done,
  }) => (upsert || done ? { words: 'the end of the run' } : undefined),
];

const ownWords: Readonly<Record<string, string>> = {
  [activityNames.openRun]: 'the record of the run’s start',
  [activityNames.closeRun]: 'the record of the run’s end',
  [activityNames.planRun]: 'the planning of the run',
  [activityNames.lookUpResult]: 'a look into the cache',
  [activityNames.recordFailure]: 'the record of a failed attempt',
  [activityNames.checkRepair]: 'the check of a repair',
  [activityNames.recordRepair]: 'a repair',
  [activityNames.readRecorded]: 'the reading of the recovered run',
  [activityNames.readRecordedCall]: 'the reading of a recovered result',
  [activityNames.recordReused]: 'the record of a reused result',
  [activityNames.recordGate]: 'the record of a gate',
  [activityNames.openApproval]: 'the record of an open approval',
  [activityNames.closeApproval]: 'the record of a decision',
  [activityNames.register]: 'register',
  [activityNames.promote]: 'promote',
  [activityNames.fetchData]: 'fetchData',
};

const typeOf = (event: HistoryEvent): string => {
  const name = Object.keys(event).find(
    (key) => key.endsWith('EventAttributes') && Boolean(event[key as keyof HistoryEvent]),
  );
  return name === undefined
    ? 'event'
    : name.charAt(0).toUpperCase() + name.slice(1, -'EventAttributes'.length);
};

const timeOf = ({ eventTime }: HistoryEvent): string =>
  new Date(Number(eventTime?.seconds ?? 0) * 1_000 + (eventTime?.nanos ?? 0) / 1e6).toISOString();

/** A payload that lies elsewhere, or is no JSON, says nothing here. */
function json(data: Uint8Array | null | undefined): unknown {
  if (!data) return undefined;
  try {
    return JSON.parse(Buffer.from(data).toString('utf8'));
  } catch {
    return undefined;
  }
}
