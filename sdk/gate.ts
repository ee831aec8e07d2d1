import { currentRuntime } from './runtime.js';

export type CheckOutcome = 'pass' | 'warn' | 'fail';

/** One comparison of a gate, with the numbers it was made on. */
export type Check = {
  readonly value: number;
  readonly comparison: '>=' | '<=' | 'within';
  /** The bound; for `within` the lower one. */
  readonly bound: number;
  readonly upper?: number;
  readonly outcome: CheckOutcome;
};
export type GateChecks = Readonly<Record<string, Check>>;

export type GateOutcome = {
  readonly gate: string;
  /** The worst outcome of its checks. */
  readonly outcome: CheckOutcome;
  readonly checks: GateChecks;
};

export type GateOptions = {
  /** What the numbers rest on: JSON with artifact references; recorded and shown to approvers. */
  readonly evidence?: unknown;
  /** `throw` (default): a failed check throws GateFailed. `continue`: the outcome is returned. */
  readonly onFail?: 'throw' | 'continue';
};

// NaN passes no comparison.
const check = (holds: boolean): CheckOutcome => (holds ? 'pass' : 'fail');

/** Passes when value ≥ bound. */
export const atLeast = (value: number, bound: number): Check => ({
  value,
  comparison: '>=',
  bound,
  outcome: check(value >= bound),
});
/** Passes when value ≤ bound. */
export const atMost = (value: number, bound: number): Check => ({
  value,
  comparison: '<=',
  bound,
  outcome: check(value <= bound),
});
/** Passes when lower ≤ value ≤ upper. */
export const within = (value: number, lower: number, upper: number): Check => ({
  value,
  comparison: 'within',
  bound: lower,
  upper,
  outcome: check(value >= lower && value <= upper),
});
/** A check that only warns when it does not hold. */
export const warn = (inner: Check): Check =>
  inner.outcome === 'fail' ? { ...inner, outcome: 'warn' } : inner;

/** The outcome of a gate: pure, no effects. */
export function judge(name: string, checks: GateChecks): GateOutcome {
  const outcomes = Object.values(checks).map((each) => each.outcome);
  const outcome = outcomes.includes('fail') ? 'fail' : outcomes.includes('warn') ? 'warn' : 'pass';
  return { gate: name, outcome, checks };
}

/** `auc 0.71 >= 0.75: fail`, for messages and terminals. */
export function describeCheck(name: string, { value, comparison, bound, upper, outcome }: Check): string {
  const rule = comparison === 'within' ? `within ${bound} to ${upper}` : `${comparison} ${bound}`;
  // NaN and Infinity come back from JSON as null.
  const shown = Number.isFinite(value) ? Number(value.toPrecision(6)) : 'no number';
  return `${name} ${shown} ${rule}: ${outcome}`;
}

/**
 * Judges numbers before a pipeline goes on. The outcome is recorded with its evidence.
 * @returns the outcome with its numbers
 * @throws GateFailed when a check fails, unless `onFail: 'continue'`
 */
export const gate = (name: string, checks: GateChecks, options: GateOptions = {}): Promise<GateOutcome> =>
  currentRuntime(`gate \`${name}\``).gate(name, checks, options);
