import { UnknownRun, UnknownStep } from '../sdk/errors.js';
import { image as imageReference } from '../sdk/image.js';
import type { ResolvedImage, StepTask } from '../sdk/protocol/messages.js';
import type { StepSpec } from '../sdk/step-spec.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { AttemptRecord, Catalog, RepairRecord, RunRecord, StepRecord } from '../store/catalog.js';
import { wasMoved } from '../store/code-of-steps.js';
import { restoreValue } from '../store/values-by-reference.js';

export type StepChoice = {
  readonly run: string;
  /** Path of the step, of a child run's as `score/train`. */
  readonly step: string;
  /** Default: the newest, or 1 where none began. */
  readonly attempt?: number | undefined;
};

/** A step as its run recorded it: what an attempt of it was given. */
export type RecordedStep = {
  readonly task: StepTask;
  readonly attempt: number;
  readonly run: RunRecord;
  readonly step: StepRecord;
  /** What the catalog does not tell of the attempt, as sentences. */
  readonly notes: readonly string[];
};

/**
 * Finds out of the catalog what a step's attempt was given.
 * @throws UnknownRun, UnknownStep for what ran no program, or whose input nobody recorded
 */
export async function recordedStep(
  choice: StepChoice,
  { catalog, store }: { readonly catalog: Catalog; readonly store: ArtifactStore },
): Promise<RecordedStep> {
  const { run, step } = await findStep(choice, catalog);
  const place = { run: run.id, step: step.path };
  if (step.kind !== 'step')
    throw new UnknownStep(`\`${step.path}\` is of kind ${step.kind}: no program runs for it.`, place);
  if (step.input === undefined) {
    throw new UnknownStep('Nobody has begun this step: its input is not recorded.', {
      ...place,
      hint: 'Wait until a worker has taken it.',
    });
  }
  const attempts = await catalog.attempts(run.id, step.path);
  const row = attemptOf(choice.attempt, attempts, place);
  const attempt = row?.attempt ?? 1;
  const { build, guessed } = await buildOf(row, run, catalog);
  const declared = (await catalog.build(build))?.steps.find(({ name }) => name === step.name);
  if (!declared) {
    throw new UnknownStep(`The build ${build}, which has this step's code, is gone.`, {
      ...place,
      hint: 'Garbage collection removed it, or the catalog belongs to another installation.',
    });
  }
  const repairs = await retriesByHand(place, catalog);
  const before = repairs.filter(({ at }) => row !== undefined && at <= row.startedAt);
  const spec = specOfAttempt(declared, { row, repairs: before });
  const executor = row?.executor ?? executorOf(spec, run);
  const image = executor === 'docker' ? imageOf(step.name, { run, row }) : undefined;
  return {
    run,
    step,
    attempt,
    notes: [
      ...(row !== undefined && repairs.some((repair) => repair.input && !before.includes(repair))
        ? ['The input is that of the repair that followed: the one before was not kept.']
        : []),
      ...(guessed
        ? [`Which code it ran is not recorded: it is taken for that of build ${build}, by the time it began.`]
        : []),
    ],
    task: {
      v: 1,
      run: run.id,
      path: step.path,
      pipeline: run.pipeline,
      build,
      spec,
      executor,
      input: await restoreValue(step.input, store),
      queue: run.queue,
      attempt,
      ...(image && { image }),
    },
  };
}

/** @throws UnknownRun, UnknownStep */
async function findStep(
  { run: id, step: path }: StepChoice,
  catalog: Catalog,
): Promise<{ readonly run: RunRecord; readonly step: StepRecord }> {
  const run = await catalog.run(id);
  if (!run) throw new UnknownRun(`There is no run \`${id}\`.`, { hint: 'See `millrace runs`.' });
  const steps = await catalog.steps(id);
  const step = steps.find((each) => each.path === path);
  if (step) return { run, step };
  for (const child of await catalog.runs({ parent: id, limit: 1_000 })) {
    const prefix = `${child.parent?.path}/`;
    if (path.startsWith(prefix)) return findStep({ run: child.id, step: path.slice(prefix.length) }, catalog);
  }
  throw new UnknownStep(`The run has no step \`${path}\`.`, {
    run: id,
    hint: `Its steps: ${steps.map((each) => each.path).join(', ') || 'none'}.`,
  });
}

/** @throws UnknownStep */
function attemptOf(
  asked: number | undefined,
  attempts: readonly AttemptRecord[],
  place: { readonly run: string; readonly step: string },
): AttemptRecord | undefined {
  const sorted = attempts.toSorted((a, b) => b.attempt - a.attempt);
  if (asked === undefined) return sorted[0];
  const found = sorted.find(({ attempt }) => attempt === asked);
  if (found || (asked === 1 && sorted.length === 0)) return found;
  throw new UnknownStep(`The step has no attempt ${asked}.`, {
    ...place,
    hint: `Its attempts: ${sorted.map(({ attempt }) => attempt).join(', ') || 'none'}.`,
  });
}

/** The build whose code the attempt ran: the run may have been moved since. */
async function buildOf(
  row: AttemptRecord | undefined,
  run: RunRecord,
  catalog: Catalog,
): Promise<{ readonly build: string; readonly guessed: boolean }> {
  if (row?.build !== undefined) return { build: row.build, guessed: false };
  if (row === undefined || !(await wasMoved(run.id, catalog))) return { build: run.build, guessed: false };
  return { build: await buildAt(run, row.startedAt, catalog), guessed: true };
}

/** The build whose code the run had then. */
async function buildAt(run: RunRecord, at: string, catalog: Catalog): Promise<string> {
  const later = (await catalog.timeline(run.id, '')).find((entry) => entry.kind === 'moved' && entry.at > at);
  const from = later?.data?.['from'];
  return typeof from === 'string' ? from : run.build;
}

/** What an attempt had otherwise than its step declares: more memory after running out of it, what a repair gave it. */
function specOfAttempt(
  declared: StepSpec,
  { row, repairs }: { readonly row: AttemptRecord | undefined; readonly repairs: readonly RepairRecord[] },
): StepSpec {
  const image = repairs.findLast((repair) => repair.image !== undefined)?.image;
  const source = repairs.findLast((repair) => repair.source !== undefined)?.source;
  return {
    ...declared,
    ...(row?.resources && { resources: row.resources }),
    ...(image !== undefined && { image: imageReference(image), imageContext: undefined }),
    ...(source !== undefined && { source: { digest: source, type: 'tree', size: 0 } }),
  };
}

/** The repairs after which it was tried again, oldest first; each goes on from the one before. */
async function retriesByHand(
  { run, step }: { readonly run: string; readonly step: string },
  catalog: Catalog,
): Promise<readonly RepairRecord[]> {
  const timeline = await catalog.timeline(run, step);
  return timeline
    .filter(({ kind }) => kind === 'repaired')
    .map(({ data }) => data as RepairRecord)
    .filter((repair) => repair.do === 'retry');
}

/** As the run's plan would have it, of a step that no attempt was made of. */
function executorOf({ isolation }: StepSpec, { plan }: RunRecord): StepTask['executor'] {
  if (isolation === 'inline' || isolation === 'none') return 'worker';
  return isolation === 'process' ? 'process' : (plan?.executor ?? 'process');
}

function imageOf(
  name: string,
  { run, row }: { readonly run: RunRecord; readonly row: AttemptRecord | undefined },
): ResolvedImage | undefined {
  const planned = run.plan?.images[name];
  if (row?.image === undefined || row.image === planned?.id) return planned;
  return { reference: row.image, id: row.image as ResolvedImage['id'] };
}
