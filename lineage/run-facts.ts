import { isArtifactRef, mapArtifacts } from '../sdk/artifact.js';
import type { StepSpec } from '../sdk/step-spec.js';
import type {
  ApprovalRecord,
  ArtifactRecord,
  AttemptRecord,
  Catalog,
  GateRecord,
  RepairRecord,
  RunRecord,
  StepRecord,
} from '../store/catalog.js';
import { codeOfSteps } from '../store/code-of-steps.js';
import type { RunNode, StepNode } from './graph.js';

/** What the catalog knows of one run, read once. */
export type RunFacts = {
  readonly run: RunRecord;
  /** The step as the build has it whose code it ran; undefined where that is not known any more. */
  readonly specOf: (step: StepRecord) => StepSpec | undefined;
  readonly steps: ReadonlyMap<string, StepRecord>;
  readonly attempts: ReadonlyMap<string, AttemptRecord>;
  readonly artifacts: readonly ArtifactRecord[];
  readonly gates: readonly GateRecord[];
  readonly approvals: readonly ApprovalRecord[];
};

/** Reads runs, each once. */
export function runReader(catalog: Catalog): (id: string) => Promise<RunFacts | undefined> {
  const known = new Map<string, Promise<RunFacts | undefined>>();
  return (id) => {
    const facts = known.get(id) ?? readRun(id, catalog);
    known.set(id, facts);
    return facts;
  };
}

async function readRun(id: string, catalog: Catalog): Promise<RunFacts | undefined> {
  const run = await catalog.run(id);
  if (!run) return undefined;
  const [steps, attempts, artifacts, gates, approvals] = await Promise.all([
    catalog.steps(id),
    catalog.attempts(id),
    catalog.artifacts(id),
    catalog.gates(id),
    catalog.approvals({ run: id }),
  ]);
  const codeOf = await codeOfSteps(run, { steps, attempts }, catalog);
  return {
    run,
    specOf: (step) => codeOf(step)?.spec,
    steps: new Map(steps.map((step) => [step.path, step])),
    // In order of attempts: the last one counts.
    attempts: new Map(attempts.map((attempt) => [attempt.path, attempt])),
    artifacts,
    gates,
    approvals,
  };
}

export const runNode = ({ run }: RunFacts): RunNode => ({
  kind: 'run',
  id: `run:${run.id}`,
  run: run.id,
  pipeline: run.pipeline,
  build: run.build,
  status: run.status,
  at: run.startedAt,
  parameters: valuesOf(run.input),
});

export function stepNode({ run, specOf, attempts }: RunFacts, step: StepRecord): StepNode {
  const spec = specOf(step);
  const attempt = attempts.get(step.path);
  const image = run.plan?.images[step.name];
  const { repair } = step;
  if (repair?.do === 'supply' || repair?.do === 'skip')
    return { ...placeNode(run, step), supplied: suppliedBy(repair) };
  return {
    ...placeNode(run, step),
    ...(attempt && { attempt: attempt.attempt, executor: attempt.executor }),
    ...(attempt?.image !== undefined && { image: attempt.image }),
    ...(attempt?.image !== undefined && image && { imageReference: image.reference }),
    // A repair may have given the attempt another source.
    ...(spec?.source && { source: repair?.source ?? spec.source.digest }),
    ...(spec?.code && { code: spec.code.digest }),
    ...(spec?.command && { command: spec.command }),
    ...(step.kind === 'fetch' && step.detail !== undefined && { uri: step.detail }),
  };
}

const placeNode = (run: RunRecord, step: StepRecord): StepNode => ({
  kind: 'step',
  id: `step:${run.id}/${step.path}`,
  run: run.id,
  path: step.path,
  name: step.name,
  step: step.kind,
  status: step.status,
  at: step.scheduledAt,
  parameters: valuesOf(step.input),
});

const suppliedBy = ({ by, at, do: action, reason }: RepairRecord): NonNullable<StepNode['supplied']> => ({
  by,
  at,
  skipped: action === 'skip',
  ...(reason !== undefined && { reason }),
});

/** The values of a call's input, without the artifacts at its top; deeper ones by their digest. */
export function valuesOf(input: unknown): Readonly<Record<string, unknown>> {
  if (typeof input !== 'object' || input === null) return {};
  return Object.fromEntries(
    Object.entries(input)
      .filter(([, value]) => !isArtifactRef(value) && !isArtifactList(value))
      .map(([key, value]) => [key, mapArtifacts(value, ({ digest }) => digest)]),
  );
}

const isArtifactList = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every(isArtifactRef);
