import { isDeepStrictEqual } from 'node:util';
import { isArtifactRef, mapArtifacts, walkArtifacts } from '../sdk/artifact.js';
import { UnknownRun } from '../sdk/errors.js';
import type { StepStatus } from '../sdk/states.js';
import type { StepSpec } from '../sdk/step-spec.js';
import type { Catalog, MetricRecord, RunRecord, StepRecord } from '../store/catalog.js';
import { codeOfSteps } from '../store/code-of-steps.js';

/** One thing two runs have otherwise; a side without it has none. */
export type Change = {
  /** `minAuc`, `source`, `auc`. */
  readonly what: string;
  readonly a?: unknown;
  readonly b?: unknown;
};

export type StepDiff = {
  readonly path: string;
  /** `a` or `b`: only that run has it. */
  readonly only?: 'a' | 'b';
  readonly status: { readonly a?: StepStatus; readonly b?: StepStatus };
  /** Of the newest attempt, ms. */
  readonly durationMs: { readonly a?: number; readonly b?: number };
  /** Source, code, command, version and image. */
  readonly code: readonly Change[];
  /** Values of its input. */
  readonly parameters: readonly Change[];
  /** Artifacts it read and made, by field: digests. */
  readonly inputs: readonly Change[];
  readonly outputs: readonly Change[];
  /** Last value of each series. */
  readonly metrics: readonly Change[];
  /** Values of its output. */
  readonly results: readonly Change[];
};

export type RunDiff = {
  readonly a: RunRecord;
  readonly b: RunRecord;
  /** Pipeline, build, executor, status. */
  readonly run: readonly Change[];
  readonly input: readonly Change[];
  /** Steps of both, in order of the first; those without a difference too, with empty lists. */
  readonly steps: readonly StepDiff[];
  /** Whether they have the same build, input, code, images and parameters; results may still be others. */
  readonly same: boolean;
};

/** Compares two runs by what the catalog keeps of them. @throws UnknownRun */
export async function diffRuns(a: string, b: string, catalog: Catalog): Promise<RunDiff> {
  const [left, right] = await Promise.all([readSide(a, catalog), readSide(b, catalog)]);
  const paths = new Set([...left.steps.keys(), ...right.steps.keys()]);
  const steps = [...paths].map((path) => diffStep(path, left, right));
  const run = compare(ofRun(left.run), ofRun(right.run));
  const input = compare(flat(left.run.input), flat(right.run.input));
  const same =
    input.length === 0 &&
    run.every(({ what }) => what === 'status') &&
    steps.every(
      ({ only, code, parameters, inputs }) =>
        only === undefined && code.length + parameters.length + inputs.length === 0,
    );
  return { a: left.run, b: right.run, run, input, steps, same };
}

type Facts = Readonly<Record<string, unknown>>;
type SideStep = {
  readonly record: StepRecord;
  readonly code: Facts;
  readonly inputs: Facts;
  readonly outputs: Facts;
  readonly metrics: Facts;
  readonly durationMs: number | undefined;
};
type Side = { readonly run: RunRecord; readonly steps: ReadonlyMap<string, SideStep> };

async function readSide(id: string, catalog: Catalog): Promise<Side> {
  const run = await catalog.run(id);
  if (!run) throw new UnknownRun(`There is no run \`${id}\`.`, { hint: 'See `millrace runs`.' });
  const [steps, attempts, artifacts, metrics] = await Promise.all([
    catalog.steps(id),
    catalog.attempts(id),
    catalog.artifacts(id),
    catalog.metrics(id),
  ]);
  const newest = new Map(attempts.map((attempt) => [attempt.path, attempt]));
  const codeOfStep = await codeOfSteps(run, { steps, attempts }, catalog);
  const sides = steps.map((record): readonly [string, SideStep] => {
    const attempt = newest.get(record.path);
    const of = (direction: 'input' | 'output'): Facts =>
      Object.fromEntries(
        artifacts
          .filter((each) => each.path === record.path && each.direction === direction)
          .map(({ field, artifact }) => [field, artifact.digest]),
      );
    return [
      record.path,
      {
        record,
        code: {
          ...codeOf(codeOfStep(record)?.spec),
          // What came from the cache made no attempt: its image is the one it would have run in.
          image: attempt?.image ?? (record.kind === 'step' ? run.plan?.images[record.name]?.id : undefined),
        },
        // A step that did not complete has only its input to tell what it read.
        inputs: { ...refsOf(record.input), ...of('input') },
        outputs: of('output'),
        metrics: lastOfEach(metrics.filter(({ path }) => path === record.path)),
        durationMs:
          attempt?.closedAt === undefined
            ? undefined
            : Date.parse(attempt.closedAt) - Date.parse(attempt.startedAt),
      },
    ];
  });
  return { run, steps: new Map(sides) };
}

function refsOf(input: unknown): Facts {
  const refs: Record<string, unknown> = {};
  walkArtifacts(input, ({ digest }, keys) => (refs[keys.join('/')] = digest));
  return refs;
}

const codeOf = (spec: StepSpec | undefined): Facts => ({
  source: spec?.source?.digest,
  code: spec?.code?.digest,
  command: spec?.command?.join(' '),
  version: spec?.version,
});

const lastOfEach = (metrics: readonly MetricRecord[]): Facts =>
  Object.fromEntries(metrics.map(({ name, value }) => [name, value]));

function diffStep(path: string, left: Side, right: Side): StepDiff {
  const [a, b] = [left.steps.get(path), right.steps.get(path)];
  const only = a === undefined ? 'b' : b === undefined ? 'a' : undefined;
  // What only one run has differs as a whole.
  const changes = (of: (step: SideStep) => Facts): readonly Change[] => (a && b ? compare(of(a), of(b)) : []);
  return {
    path,
    ...(only && { only }),
    status: { ...(a && { a: a.record.status }), ...(b && { b: b.record.status }) },
    durationMs: {
      ...(a?.durationMs !== undefined && { a: a.durationMs }),
      ...(b?.durationMs !== undefined && { b: b.durationMs }),
    },
    code: changes(({ code }) => code),
    parameters: changes(({ record }) => flat(withoutArtifacts(record.input))),
    inputs: changes(({ inputs }) => inputs),
    outputs: changes(({ outputs }) => outputs),
    metrics: changes(({ metrics }) => metrics),
    results: changes(({ record }) => flat(withoutArtifacts(record.output))),
  };
}

const ofRun = ({ pipeline, build, plan, status }: RunRecord): Facts => ({
  pipeline,
  build,
  executor: plan?.executor,
  status,
});

function compare(a: Facts, b: Facts): readonly Change[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((what) => !isDeepStrictEqual(a[what], b[what]))
    .map((what) => ({
      what,
      ...(a[what] !== undefined && { a: a[what] }),
      ...(b[what] !== undefined && { b: b[what] }),
    }));
}

const withoutArtifacts = (value: unknown): unknown => mapArtifacts(value, () => undefined);

/** A JSON value as one fact a leaf, by its path of keys; an artifact is its digest. */
function flat(value: unknown, keys: readonly string[] = []): Facts {
  if (value === undefined) return {};
  if (isArtifactRef(value)) return { [keys.join('.') || 'value']: value.digest };
  if (typeof value !== 'object' || value === null) return { [keys.join('.') || 'value']: value };
  const entries = Object.entries(value);
  // An empty list is not the same as none.
  if (entries.length === 0) return keys.length === 0 ? {} : { [keys.join('.')]: value };
  return Object.assign({}, ...entries.map(([key, inner]) => flat(inner, [...keys, key]))) as Facts;
}
