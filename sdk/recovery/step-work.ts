import type { RunPlan } from '../protocol/messages.js';
import type { StepSpec } from '../step-spec.js';

/**
 * What identifies the work of a step beside its input: all of its spec that can change what it gives, and where it runs. As the
 * content key of a cached result (docs/cache.md), without what only the worker knows.
 */
export type StepWork = {
  readonly step: string;
  readonly version?: string | undefined;
  /** Undefined: not known yet. */
  readonly executor?: 'docker' | 'process' | 'worker' | undefined;
  /** Id of the image it runs in; undefined where it is not known yet, or where it needs none. */
  readonly image?: string | undefined;
  /** The image as it is written, with what it is built from. */
  readonly declared?: string | undefined;
  readonly source?: string | undefined;
  /** What the step does, without its run options; builds of before had it of cached steps only. */
  readonly logic?: string | undefined;
  readonly code?: string | undefined;
  readonly command?: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: StepSpec['secrets'];
  readonly network: boolean;
  readonly gpus: number;
};

/** The work of a step in a run of this plan. */
export function stepWork(spec: StepSpec, plan: Pick<RunPlan, 'executor' | 'images'> | undefined): StepWork {
  const executor = executorOf(spec, plan);
  const { image, imageContext } = spec;
  const inImage = executor === undefined || executor === 'docker';
  return {
    step: spec.name,
    version: spec.version,
    executor,
    image: executor === 'docker' ? plan?.images[spec.name]?.id : undefined,
    declared: inImage && image ? JSON.stringify([image, imageContext?.digest]) : undefined,
    source: spec.source?.digest,
    logic: spec.logic,
    code: spec.code?.digest,
    command: spec.command,
    env: spec.env,
    secrets: spec.secrets,
    network: spec.network,
    gpus: spec.resources.gpus,
  };
}

/** Names of the parts in which two works differ; none: the same input gives what it gave before. */
export function changedParts(before: StepWork, after: StepWork): readonly string[] {
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  const parts = ['step', 'version', 'source', 'command', 'env', 'secrets', 'network', 'gpus'] as const;
  return [
    ...parts.filter((part) => !same(before[part], after[part])),
    ...codeChange(before, after),
    ...placeChange(before, after),
  ];
}

function codeChange(before: StepWork, after: StepWork): readonly string[] {
  if (before.logic !== undefined && after.logic !== undefined)
    return before.logic === after.logic ? [] : ['logic'];
  return before.code === after.code ? [] : ['code'];
}

/** An image that is not looked at yet is compared by what is written. */
function placeChange(before: StepWork, after: StepWork): readonly string[] {
  if (before.executor !== undefined && after.executor !== undefined && before.executor !== after.executor)
    return ['executor'];
  const known = before.image !== undefined && after.image !== undefined;
  const [a, b] = known ? [before.image, after.image] : [before.declared, after.declared];
  return a === b ? [] : ['image'];
}

function executorOf(
  { isolation, image }: StepSpec,
  plan: Pick<RunPlan, 'executor'> | undefined,
): StepWork['executor'] {
  if (isolation === 'inline' || isolation === 'none') return 'worker';
  if (isolation === 'process' || image === undefined) return 'process';
  return plan?.executor;
}
