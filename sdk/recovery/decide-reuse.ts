import type { StepKind } from '../states.js';
import { inputKey } from './input-key.js';
import type { RecordedCall } from './recorded-run.js';
import type { StepWork } from './step-work.js';
import { changedParts } from './step-work.js';

/** A call as the recovering run makes it. */
export type MadeCall = {
  readonly path: string;
  readonly name: string;
  readonly kind: StepKind;
  /**
   * JSON: of a step its input, of a fetch `{uri, kind}`, of a registration `{name, model, metrics, evidence}`, of a promotion
   * `{name, version, alias}`, of an approval `{of, evidence}`.
   */
  readonly input: unknown;
  /** Of a step. */
  readonly work?: StepWork;
};

/** Why a call is made anew. */
export type RunReason =
  /** `--from` names it. */
  | { readonly kind: 'asked' }
  /** It takes what these made, which `--from` has run anew. */
  | { readonly kind: 'follows'; readonly paths: readonly string[] }
  /** The former run made no such call. */
  | { readonly kind: 'new' }
  /** @property parts of its work that are another now */
  | { readonly kind: 'failed'; readonly code?: string; readonly parts?: readonly string[] }
  /** The former run ended first. */
  | { readonly kind: 'unfinished' }
  | { readonly kind: 'unusable'; readonly why: string }
  | { readonly kind: 'gone'; readonly what: string }
  /** Its code, image or command is another. */
  | { readonly kind: 'changed'; readonly parts: readonly string[] }
  /** It is called with another input. */
  | { readonly kind: 'input' };

export type ReuseDecision =
  { readonly reuse: RecordedCall } | { readonly run: RunReason; readonly record?: RecordedCall };

export type ReuseGrounds = {
  /** The former call that this one is (`RecordIndex.match`). */
  readonly record: RecordedCall | undefined;
  /** What identified the work then. */
  readonly work: StepWork | undefined;
  /** Whether `--from` names the call. */
  readonly asked: boolean;
  /** Calls run anew by `--from` whose output is in its input. */
  readonly follows: readonly string[];
};

/**
 * Whether a call is given a recorded result. Identity decides, never place alone: kind and name, what identifies the work, and
 * the input by value and digest.
 */
export function decideReuse(call: MadeCall, { record, work, asked, follows }: ReuseGrounds): ReuseDecision {
  if (!record || record.kind !== call.kind || (call.kind === 'step' && record.name !== call.name))
    return { run: { kind: 'new' } };
  const no = (run: RunReason): ReuseDecision => ({ run, record });
  if (asked) return no({ kind: 'asked' });
  if (record.outcome === 'failed') {
    const parts = work && call.work ? changedParts(work, call.work) : [];
    const code = record.failure;
    return no({ kind: 'failed', ...(code !== undefined && { code }), ...(parts.length > 0 && { parts }) });
  }
  if (record.outcome === 'unfinished') return no({ kind: 'unfinished' });
  if (record.unusable !== undefined) return no({ kind: 'unusable', why: record.unusable });
  if (call.work) {
    if (!work) return no({ kind: 'unusable', why: 'the build it ran on is not recorded any more' });
    const parts = changedParts(work, call.work);
    if (parts.length > 0) return no({ kind: 'changed', parts });
  }
  if (inputKey(record.input) !== inputKey(call.input)) return no({ kind: 'input' });
  // An effect is repeated only where it is asked for by its own name.
  if (follows.length > 0 && !isEffect(call.kind)) return no({ kind: 'follows', paths: follows });
  if (record.gone !== undefined) return no({ kind: 'gone', what: record.gone });
  return { reuse: record };
}

/** Calls that change what others see: the same one is never made twice by itself. */
export const isEffect = (kind: StepKind): boolean => ['register', 'promote', 'approval'].includes(kind);

/** Whether `--from` names a call: by its path or its name. */
export const isNamed = (from: readonly string[], { path, name }: Pick<MadeCall, 'path' | 'name'>): boolean =>
  from.includes(path) || from.includes(name);

/** What `--from` says of the calls of a child run: its own entries, those that begin with the child's path, and names. */
export const namedBelow = (from: readonly string[], child: string): readonly string[] =>
  from.flatMap((each) => (each.startsWith(`${child}/`) ? [each, each.slice(child.length + 1)] : [each]));
