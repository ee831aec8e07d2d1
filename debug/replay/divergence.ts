import type { RunEvent } from '../../workflows/run-reducer.js';
import { describeEvent, localActivityOf } from './history-event.js';
import type { DescribedEvent, HistoryEvent } from './history-event.js';

/** Where code and history part. */
export type Divergence = {
  /** The event of the history that the code does not lead to; undefined where none can be named. */
  readonly event?: DescribedEvent;
  /** Path of the call that the history has there, else of the one that the code makes. */
  readonly step?: string;
  /** What the history has, and what the code asked for instead. */
  readonly has: string;
  readonly asked: string;
  /** Both in a sentence. */
  readonly what: string;
  /** Temporal's own words. */
  readonly details: string;
};

/** What the code said while it was replayed, with the length of the history that it had seen by then. */
export type TracedEvent = { readonly historyLength: number; readonly event: RunEvent };

/** Makes a sentence of Temporal's word on a replay, its history and what the code asked for. */
export function divergenceOf(
  error: Error,
  { events, trace }: { readonly events: readonly HistoryEvent[]; readonly trace: readonly TracedEvent[] },
): Divergence {
  const details = wordsOf(error.message);
  const event = eventOf(details, events);
  const has = event?.words ?? 'what it has';
  const last = trace.filter(({ historyLength }) => historyLength === trace.at(-1)?.historyLength);
  const { words: asked, step: called } = askedFor(details, { last, trace });
  const step = event?.step ?? called;
  const place = event ? `At event ${event.id} the history has ${has}` : `The history has ${has}`;
  return {
    ...(event && { event }),
    ...(step !== undefined && { step }),
    has,
    asked,
    what: `${place}; the code ${asked}.`,
    details,
  };
}

/** `[TMPRL1100] Nondeterminism error: …`, out of the layers of it. */
function wordsOf(message: string): string {
  const [, inner] = /message: "((?:[^"\\]|\\.)*)"/.exec(message) ?? [];
  return (inner ?? message).replace(/^\[TMPRL\d+\] /, '').replace(/^Nondeterminism error: /, '');
}

function eventOf(details: string, events: readonly HistoryEvent[]): DescribedEvent | undefined {
  const named = /HistoryEvent\(id: (\d+), (\w+)\)/.exec(details);
  if (named) {
    const found = events.find(({ eventId }) => Number(eventId) === Number(named[1]));
    return found && describeEvent(found, named[2]);
  }
  const local = /LocalActivity\((\d+)\)/.exec(details)?.[1];
  const activity = /of scheduled event '([^']*)'/.exec(details)?.[1];
  const child = /child workflow .*?event '([^']*)'/i.exec(details)?.[1];
  const found = events.find(
    (event) =>
      (local !== undefined && localActivityOf(event)?.seq === Number(local)) ||
      (activity !== undefined &&
        [
          event.activityTaskScheduledEventAttributes?.activityId,
          event.activityTaskScheduledEventAttributes?.activityType?.name,
        ].includes(activity)) ||
      (child !== undefined &&
        event.startChildWorkflowExecutionInitiatedEventAttributes?.workflowId === child),
  );
  return found && describeEvent(found);
}

type Asked = { readonly words: string; readonly step?: string };

/** In the words of who reads on after `the code`. */
function askedFor(
  details: string,
  { last, trace }: { readonly last: readonly TracedEvent[]; readonly trace: readonly TracedEvent[] },
): Asked {
  const ended = last.find(({ event }) => event.type === 'ended')?.event;
  if (ended?.type === 'ended') return { words: endWords(ended) };
  if (details.startsWith('Timer machine'))
    return { words: 'waits a while first (a sleep, or before a retry)' };
  const named = /of activity command '([^']*)'/.exec(details)?.[1];
  const calls = last.flatMap(({ event }) => (event.type === 'scheduled' ? [event] : []));
  if (/^(No command|Missing associated machine)/.test(details))
    return { words: `makes no such call${insteadOf(calls, trace)}` };
  const call = named === undefined ? calls.at(-1) : calls.find(({ path }) => path === named);
  if (call) return { words: `calls ${kindOf(call.kind)}\`${call.path}\``, step: call.path };
  if (named !== undefined) return { words: `calls \`${named}\``, step: named };
  return { words: `asks for something else${insteadOf(calls, trace)}` };
}

type Call = Extract<RunEvent, { readonly type: 'scheduled' }>;

const kindOf = (kind: string): string => (['register', 'promote', 'fetch'].includes(kind) ? '' : `${kind} `);

function endWords({ status, failure }: Extract<RunEvent, { readonly type: 'ended' }>): string {
  return `ends the run as ${status}${failure ? `: ${failure.what.replace(/\.$/, '')}` : ''}`;
}

/** What it does in the same moment. */
function insteadOf(calls: readonly Call[], trace: readonly TracedEvent[]): string {
  const quoted = (paths: readonly string[]) => paths.map((path) => `\`${path}\``).join(', ');
  if (calls.length > 0) return `, but ${quoted(calls.map(({ path }) => path))}`;
  const open = openCalls(trace);
  return open.length > 0 ? `, and waits for ${quoted(open)}` : '';
}

/** Paths of calls that were made and have not ended. */
function openCalls(trace: readonly TracedEvent[]): readonly string[] {
  const open = new Set<string>();
  for (const { event } of trace) {
    if (event.type === 'scheduled') open.add(event.path);
    if (event.type === 'closed') open.delete(event.path);
  }
  return [...open];
}
