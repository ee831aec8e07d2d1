import type { Sinks } from '@temporalio/workflow';
import { proxySinks } from '@temporalio/workflow';
import type { RunEvent } from './run-reducer.js';

/** What a replay that listens is told. */
export interface TraceSinks extends Sinks {
  readonly millrace: { event(event: RunEvent): void };
}

/** Put before a bundle's code it has each run say what happens in it. Nobody else pays for that. */
export const traceSwitch = 'globalThis.millraceTrace=true;';

const isOn = (globalThis as { readonly millraceTrace?: boolean }).millraceTrace === true;

/** Tells a replay, step by step, what a run asks for; undefined where none listens. */
export const traceEvent: ((event: RunEvent) => void) | undefined = isOn
  ? (event) => proxySinks<TraceSinks>().millrace.event(event)
  : undefined;
