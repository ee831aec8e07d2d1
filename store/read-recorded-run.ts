import { walkArtifacts } from '../sdk/artifact.js';
import type { ArtifactRef } from '../sdk/artifact.js';
import { isMillraceError, UnknownRun } from '../sdk/errors.js';
import type { LargeCall, RecordedCall, RecordedRun } from '../sdk/recovery/recorded-run.js';
import { stepWork } from '../sdk/recovery/step-work.js';
import { isStoredValue } from '../sdk/stored-value.js';
import type { ArtifactStore } from './artifact-store.js';
import type {
  ApprovalRecord,
  AttemptRecord,
  Catalog,
  RepairRecord,
  RunEffects,
  RunRecord,
  StepRecord,
} from './catalog.js';
import type { CodeOfStep } from './code-of-steps.js';
import { codeOfSteps } from './code-of-steps.js';
import { eachLimited } from './each-limited.js';
import { touchArtifact } from './touch-artifact.js';
import { restoreValue } from './values-by-reference.js';

export type RecordedRunOptions = {
  readonly catalog: Catalog;
  readonly store: ArtifactStore;
  readonly signal?: AbortSignal | undefined;
};

/** Bytes of inputs and outputs that stand in the record; what is beyond is read call by call. */
const mostInline = 4 * 2 ** 20;
const atOnce = 16;
const mostChildren = 10_000;

/**
 * Reads what a closed run left, with a look at whether the content of its results is still there. Content that is there is not
 * collected as garbage for a day.
 * @throws UnknownRun
 */
export async function readRecordedRun(id: string, options: RecordedRunOptions): Promise<RecordedRun> {
  const { catalog } = options;
  const run = await catalog.run(id);
  if (!run) throw new UnknownRun(`There is no run \`${id}\` to recover.`, { hint: 'See `millrace runs`.' });
  const [steps, attempts, children] = await Promise.all([
    catalog.steps(id),
    catalog.attempts(id),
    childrenOf(id, catalog),
  ]);
  const makers = await readMakers(id, steps, catalog);
  const repaired = await repairedCode(id, steps, catalog);
  const gone = await goneContent(steps, options);
  const { works, ofCall } = await readWorks(run, { steps, attempts }, catalog);
  let inline = 0;
  const calls = steps.map((step): RecordedCall => {
    const call = recordedCall(step, makers, repaired);
    const child = children.get(step.path);
    const lost = gone.get(step.path);
    const { input, output, ...rest } = call;
    const stored = isStoredValue(input) || isStoredValue(output) || hasStoredEvidence(input);
    const size = stored ? 0 : (JSON.stringify([input, output]) ?? '').length;
    const large = stored || inline + size > mostInline;
    if (!large) inline += size;
    return {
      ...rest,
      ...(large
        ? { large }
        : { ...(input !== undefined && { input }), ...(output !== undefined && { output }) }),
      ...ofCall(step),
      ...(lost !== undefined && { gone: lost }),
      ...(child && { child }),
    };
  });
  return { run: id, works, calls };
}

/** Input and output of a call that is too large for the record. @throws UnknownRun, ArtifactMissing, ArtifactCorrupt */
export async function readLargeCall(
  id: string,
  path: string,
  { catalog, store }: RecordedRunOptions,
): Promise<LargeCall> {
  const steps = await catalog.steps(id);
  const step = steps.find((each) => each.path === path);
  if (!step) throw new UnknownRun(`The record of \`${path}\` is gone.`, { run: id, step: path });
  const { input, output } = recordedCall(step, await readMakers(id, [step], catalog));
  return { input: await restored(input, store), output: await restored(output, store) };
}

/** A value, or evidence inside one. */
async function restored(value: unknown, store: ArtifactStore): Promise<unknown> {
  if (!hasStoredEvidence(value)) return restoreValue(value, store);
  return { ...value, evidence: await restoreValue(value.evidence, store) };
}

const hasStoredEvidence = (value: unknown): value is { readonly evidence: unknown } =>
  typeof value === 'object' && value !== null && 'evidence' in value && isStoredValue(value.evidence);

/**
 * The works that the calls were, by name. Where calls of one name were different ones, the run having been moved to other code
 * meanwhile, that name has none: each of them says which is its own.
 */
async function readWorks(
  run: RunRecord,
  made: { readonly steps: readonly StepRecord[]; readonly attempts: readonly AttemptRecord[] },
  catalog: Catalog,
): Promise<{
  readonly works: RecordedRun['works'];
  readonly ofCall: (step: StepRecord) => Pick<RecordedCall, 'workName' | 'unusable'>;
}> {
  const [build, codeOf] = await Promise.all([catalog.build(run.build), codeOfSteps(run, made, catalog)]);
  const calls = made.steps
    .filter(({ kind }) => kind === 'step')
    .map((step) => ({ step, code: codeOf(step) }));
  const others = new Set(
    calls
      .filter(({ code }) => code?.build !== run.build || code.run !== run.id)
      .map(({ step: { name } }) => name),
  );
  const named = (build?.steps ?? [])
    .filter(({ name }) => !others.has(name))
    .map((spec) => [spec.name, stepWork(spec, run.plan)] as const);
  const keyed = calls.flatMap(({ step: { name }, code }) =>
    others.has(name) && code?.spec ? [[workName(name, code), stepWork(code.spec, code.plan)] as const] : [],
  );
  return {
    works: Object.fromEntries([...named, ...keyed]),
    ofCall(step) {
      if (step.kind !== 'step' || !others.has(step.name)) return {};
      const code = codeOf(step);
      return code ? { workName: workName(step.name, code) } : { unusable: unknownCode };
    },
  };
}

const workName = (name: string, { build, run }: CodeOfStep): string => `${name} of build ${build} in ${run}`;

const unknownCode = 'its run was moved to other code, and which code it ran is not recorded';

type Makers = ReadonlyMap<string, RunEffects & { readonly approvals: readonly ApprovalRecord[] }>;

/** What the run, and those whose results it took, did beside their steps. */
async function readMakers(id: string, steps: readonly StepRecord[], catalog: Catalog): Promise<Makers> {
  const runs = new Set([id, ...steps.map((step) => makerOf(step).run)]);
  const read = async (run: string) => {
    const [effects, approvals] = await Promise.all([catalog.effects(run), catalog.approvals({ run })]);
    return [run, { ...effects, approvals }] as const;
  };
  return new Map(await eachLimited([...runs], read, { limit: atOnce }));
}

const makerOf = ({ run, path, reused, cached }: StepRecord): RecordedCall['maker'] =>
  reused ?? cached ?? { run, path };

function recordedCall(
  step: StepRecord,
  makers: Makers,
  repaired: ReadonlySet<string> = new Set(),
): RecordedCall {
  const { path, name, kind, failure, input, output } = step;
  const maker = makerOf(step);
  const done = step.status === 'completed';
  const base = {
    path,
    name,
    kind,
    maker,
    outcome: done ? 'completed' : step.status === 'failed' ? 'failed' : 'unfinished',
    ...(failure && { failure: failure.code }),
  } as const;
  const made = makers.get(maker.run);
  const isMaker = (each: { readonly path: string }) => each.path === maker.path;
  switch (kind) {
    case 'step': {
      const unusable = done ? unusableStep(step, repaired) : undefined;
      return { ...base, input, output, ...(unusable !== undefined && { unusable }) };
    }
    case 'fetch':
      return {
        ...base,
        input: { uri: step.detail, kind: (output as ArtifactRef | undefined)?.$artifact },
        output,
      };
    case 'register': {
      const version = made?.versions.find(isMaker);
      if (!version) return { ...base, outcome: done ? 'unfinished' : base.outcome };
      const { name: model, version: number, model: artifact, metrics, evidence } = version;
      return {
        ...base,
        outcome: 'completed',
        input: { name: model, model: artifact, metrics, evidence },
        output: { name: model, version: number, model: artifact },
      };
    }
    case 'promote': {
      const change = made?.aliasChanges.find(isMaker);
      if (!change) return { ...base, outcome: done ? 'unfinished' : base.outcome };
      const { run: _run, path: _path, ...aliasChange } = change;
      const { name: model, version, alias } = aliasChange;
      return { ...base, outcome: 'completed', input: { name: model, version, alias }, output: aliasChange };
    }
    case 'approval': {
      const approval = made?.approvals.find(isMaker);
      if (!approval?.decision) return { ...base, outcome: 'unfinished' };
      const { of, evidence, decision } = approval;
      return { ...base, outcome: 'completed', input: { of, evidence }, output: decision };
    }
    case 'gate':
    case 'pipeline':
      return { ...base, ...(input !== undefined && { input }), ...(output !== undefined && { output }) };
  }
}

/** Why the result of a step is not what its build makes of its input, or is not there. */
function unusableStep(
  { path, output, repair }: StepRecord,
  repaired: ReadonlySet<string>,
): string | undefined {
  if (output === undefined) return 'its result was not recorded';
  if (repair?.do === 'skip') return `it was left out by ${repair.by}`;
  if (repair?.do === 'retry' && repaired.has(path))
    return 'a repair had it run from another source or in another image';
  return undefined;
}

/** Paths of steps that a repair gave other code: the row of a step has only the latest of several repairs. */
async function repairedCode(
  id: string,
  steps: readonly StepRecord[],
  catalog: Catalog,
): Promise<ReadonlySet<string>> {
  if (!steps.some(({ repair }) => repair?.do === 'retry')) return new Set();
  const repairs = (await catalog.timeline(id)).filter(({ kind }) => kind === 'repaired');
  const other = repairs.filter(({ data }) => {
    const { source, image } = (data ?? {}) as Partial<RepairRecord>;
    return source !== undefined || image !== undefined;
  });
  return new Set(other.map(({ path }) => path));
}

/** By path of the step: the name of the first content of its output that is missing. */
async function goneContent(
  steps: readonly StepRecord[],
  { store, signal }: RecordedRunOptions,
): Promise<ReadonlyMap<string, string>> {
  const refs: { readonly path: string; readonly ref: ArtifactRef }[] = [];
  for (const step of steps) {
    if (step.status !== 'completed' || (step.kind !== 'step' && step.kind !== 'fetch')) continue;
    const output = await restoreValue(step.output, store).catch((error: unknown) => {
      if (!isMillraceError(error)) throw error;
      return undefined;
    });
    if (output === undefined) refs.push({ path: step.path, ref: missingValue });
    walkArtifacts(output, (ref) => refs.push({ path: step.path, ref }));
  }
  const found = new Map<string, Promise<boolean>>();
  const isThere = (ref: ArtifactRef): Promise<boolean> => {
    const looked = found.get(ref.digest) ?? touchArtifact(store, ref, signal ? { signal } : {});
    found.set(ref.digest, looked);
    return looked;
  };
  const lost = new Map<string, string>();
  await eachLimited(
    refs,
    async ({ path, ref }) => {
      if (ref === missingValue || !(await isThere(ref))) lost.set(path, lost.get(path) ?? ref.name);
    },
    { limit: atOnce, signal },
  );
  return lost;
}

/** Stands for an output whose own JSON cannot be read. */
const missingValue: ArtifactRef = {
  $artifact: 'file',
  digest: `sha256:${'0'.repeat(64)}`,
  type: 'file',
  size: 0,
  name: 'its output',
};

/** Child runs by the path of the call, with all they called in turn. */
async function childrenOf(
  id: string,
  catalog: Catalog,
): Promise<ReadonlyMap<string, NonNullable<RecordedCall['child']>>> {
  const children = await catalog.runs({ parent: id, limit: mostChildren });
  const read = async (child: (typeof children)[number]) => {
    const [steps, below] = await Promise.all([catalog.steps(child.id), childrenOf(child.id, catalog)]);
    const calls = steps.flatMap(({ path, name }) => [path, name]);
    const deeper = [...below].flatMap(([path, { calls: inner }]) => [
      ...inner,
      ...inner.map((each) => `${path}/${each}`),
    ]);
    const own = steps.filter(({ kind }) => kind !== 'pipeline').length;
    const count = [...below.values()].reduce((sum, inner) => sum + inner.count, own);
    const facts = { run: child.id, calls: [...new Set([...calls, ...deeper])], count };
    return [child.parent?.path ?? '', facts] as const;
  };
  return new Map(await eachLimited(children, read, { limit: 4 }));
}
