import type { FailureInfo } from '../../sdk/protocol/failure.js';
import type { RunStatus, StepStatus } from '../../sdk/states.js';
import type { StepSpec } from '../../sdk/step-spec.js';
import type { Catalog, RunRecord, StepRecord, Time } from '../../store/catalog.js';
import { codeOfSteps } from '../../store/code-of-steps.js';
import type { LifecycleEvent } from '../../store/outbox.js';
import {
  artifactsIn,
  byDigest,
  inputDataset,
  outputDataset,
  parametersOf,
  sourceDataset,
  versionDataset,
} from './datasets.js';
import { openLineageRunId } from './open-lineage-run-id.js';
import type { Dataset, Facets, JobName, RunEvent } from './run-event.js';
import { facetMaker, schemaURL } from './run-event.js';

export type RenderOptions = {
  readonly catalog: Catalog;
  /** Of jobs, and of names of artifacts for people. */
  readonly namespace: string;
  /** Millrace's version. */
  readonly version: string;
};

/**
 * What happened as an event of OpenLineage, with all the catalog knows of it by now.
 * @param at when it was recorded
 * @returns undefined when the catalog knows nothing of the run or step any more
 */
export async function renderEvent(
  event: LifecycleEvent,
  at: Time,
  options: RenderOptions,
): Promise<RunEvent | undefined> {
  const run = await options.catalog.run(event.run);
  if (!run) return undefined;
  const context = await contextOf(run, options);
  if (!('path' in event)) return runEvent(event, at, context);
  const step = (await options.catalog.steps(run.id)).find(({ path }) => path === event.path);
  return step && stepEvent({ event, at, step, context });
}

type Context = RenderOptions & {
  readonly run: RunRecord;
  /** The run at the top of the tree that the run is part of. */
  readonly root: RunRecord;
  readonly description: string | undefined;
  readonly producer: string;
  readonly facets: ReturnType<typeof facetMaker>;
};

const deepest = 20;

async function contextOf(run: RunRecord, options: RenderOptions): Promise<Context> {
  let root = run;
  for (let depth = 0; root.parent && depth < deepest; depth += 1) {
    const above = await options.catalog.run(root.parent.run);
    if (!above) break;
    root = above;
  }
  const build = await options.catalog.build(run.build);
  const producer = `urn:millrace:${options.version}`;
  return {
    ...options,
    run,
    root,
    description: build?.pipelines.find(({ name }) => name === run.pipeline)?.description,
    producer,
    facets: facetMaker(producer),
  };
}

async function runEvent(
  { event, status }: Extract<LifecycleEvent, { readonly event: 'run.started' | 'run.ended' }>,
  at: Time,
  context: Context,
): Promise<RunEvent> {
  const { run, facets, namespace, catalog, description } = context;
  const ended = event === 'run.ended';
  const parent = run.parent && (await catalog.run(run.parent.run));
  const made = { namespace, facets };
  return {
    eventType: eventTypeOf(ended, status),
    eventTime: (ended ? run.closedAt : run.startedAt) ?? at,
    ...head(context),
    run: {
      runId: openLineageRunId(run.id),
      facets: {
        ...(parent ? parentFacet(parent, context) : {}),
        ...common(run.startedAt, run.input, context),
        ...(Object.keys(run.tags).length > 0
          ? facets.facet('tags', {
              tags: Object.entries(run.tags).map(([key, value]) => ({ key, value, source: 'USER' })),
            })
          : {}),
        ...(ended ? errorFacet(run.failure, 'TypeScript', context) : {}),
        ...facets.ownFacet('run', { run: run.id, build: run.build, status }),
        ...(ended ? await decisionsFacet(context) : {}),
      },
    },
    job: {
      ...runJob(run, namespace),
      facets: {
        ...facets.facet('jobType', { processingType: 'BATCH', integration: 'MILLRACE', jobType: 'PIPELINE' }),
        ...(description === undefined ? {} : facets.facet('documentation', { description })),
        ...codeFacet(`millrace:build:${run.build}`, run.build, context),
      },
    },
    inputs: artifactsIn(run.input).map((ref) => inputDataset(ref, made)),
    outputs:
      ended && status === 'completed' ? artifactsIn(run.output).map((ref) => outputDataset(ref, made)) : [],
  };
}

type OfStep = {
  readonly event: Extract<LifecycleEvent, { readonly path: string }>;
  readonly at: Time;
  readonly step: StepRecord;
  readonly context: Context;
};

async function stepEvent({ event: { event, status }, at, step, context }: OfStep): Promise<RunEvent> {
  const { run, facets, namespace, catalog } = context;
  const { path, name, kind } = step;
  const ended = event === 'step.ended';
  const attempts = await catalog.attempts(run.id, path);
  const newest = attempts.at(-1);
  const spec = (await codeOfSteps(run, { steps: [step], attempts }, catalog))(step)?.spec;
  const code = spec?.source ?? spec?.code;
  const reused = ended ? (await catalog.cache.use({ run: run.id, path }))?.from : undefined;
  return {
    eventType: eventTypeOf(ended, status),
    eventTime: (ended ? step.closedAt : (attempts[0]?.startedAt ?? step.scheduledAt)) ?? at,
    ...head(context),
    run: {
      runId: openLineageRunId(run.id, path),
      facets: {
        ...parentFacet(run, context),
        ...common(step.scheduledAt, step.input, context),
        ...(ended && status !== 'completed' ? errorFacet(step.failure, languageOf(spec), context) : {}),
        ...facets.ownFacet('step', {
          run: run.id,
          path,
          status,
          ...(newest && { attempt: newest.attempt, executor: newest.executor, worker: newest.worker }),
          ...(newest?.image !== undefined && { image: newest.image }),
          // Whose answer was taken over from the cache.
          ...(reused && { reused: { ...reused, runId: openLineageRunId(reused.run, reused.path) } }),
          ...(spec?.source && { source: spec.source.digest }),
          ...(spec?.code && { code: spec.code.digest }),
        }),
      },
    },
    job: {
      namespace,
      name: `${run.pipeline}.${name}`,
      facets: {
        ...facets.facet('jobType', {
          processingType: 'BATCH',
          integration: 'MILLRACE',
          jobType: kind === 'step' ? 'STEP' : kind.toUpperCase(),
        }),
        ...(code ? codeFacet(`millrace:${code.digest}`, code.digest, context) : {}),
      },
    },
    ...(await datasetsOf(step, ended && status === 'completed', context)),
  };
}

/** At its beginning a step's artifacts are those its input names; what it made is recorded with its end. */
async function datasetsOf(
  { path, kind, name, input, detail }: StepRecord,
  completed: boolean,
  { run, catalog, namespace, facets }: Context,
): Promise<{ readonly inputs: readonly Dataset[]; readonly outputs: readonly Dataset[] }> {
  const made = { namespace, facets };
  const records = (await catalog.artifacts(run.id)).filter((record) => record.path === path);
  const read = byDigest(records.filter(({ direction }) => direction === 'input'));
  const inputs = read.length > 0 ? read.map(({ artifact }) => artifact) : artifactsIn(input);
  const version =
    kind === 'register' ? (await catalog.model(name))?.versions.find((each) => each.run === run.id && each.path === path) : undefined; // prettier-ignore
  const outputs = completed ? byDigest(records.filter(({ direction }) => direction === 'output')) : [];
  return {
    inputs: [
      ...(kind === 'fetch' && detail !== undefined ? [sourceDataset(detail)] : []),
      ...inputs.map((ref) => inputDataset(ref, made)),
    ],
    outputs: [
      ...outputs.map(({ artifact, field }) =>
        outputDataset(artifact, { ...made, name: `${run.pipeline}/${path}/${field}` }),
      ),
      ...(version && completed ? [versionDataset(version, made)] : []),
    ],
  };
}

const runJob = ({ pipeline }: RunRecord, namespace: string): JobName => ({ namespace, name: pipeline });

const head = ({ producer }: Context) => ({ producer, schemaURL });

const parentFacet = (parent: RunRecord, { root, namespace, facets }: Context): Facets =>
  facets.facet('parent', {
    run: { runId: openLineageRunId(parent.id) },
    job: runJob(parent, namespace),
    root: { run: { runId: openLineageRunId(root.id) }, job: runJob(root, namespace) },
  });

function common(nominalStartTime: Time, input: unknown, { facets, version }: Context): Facets {
  const parameters = parametersOf(input);
  return {
    ...facets.facet('nominalTime', { nominalStartTime }),
    ...facets.facet('processing_engine', { name: 'millrace', version, openlineageAdapterVersion: version }),
    ...(parameters.length > 0 ? facets.facet('executionParameters', { parameters }) : {}),
  };
}

const codeFacet = (url: string, version: string, { facets }: Context): Facets =>
  facets.facet('sourceCodeLocation', { type: 'millrace', url, version });

const errorFacet = (
  failure: FailureInfo | undefined,
  programmingLanguage: string,
  { facets }: Context,
): Facets =>
  failure
    ? facets.facet('errorMessage', { message: `${failure.code}: ${failure.what}`, programmingLanguage })
    : {};

async function decisionsFacet({ run, catalog, facets }: Context): Promise<Facets> {
  const gates = await catalog.gates(run.id);
  const approvals = await catalog.approvals({ run: run.id });
  if (gates.length + approvals.length === 0) return {};
  return facets.ownFacet('decisions', {
    gates: gates.map(({ path, outcome, at }) => ({ path, at, ...outcome })),
    approvals: approvals.map(({ path, gate, status, of, decision }) => ({
      path,
      gate,
      status,
      ...(of && { of: { name: of.name, version: of.version, digest: of.model.digest } }),
      ...(decision && { by: decision.by, at: decision.at, reason: decision.reason ?? null }),
    })),
  });
}

function languageOf(spec: StepSpec | undefined): string {
  if (spec?.run === 'function') return 'TypeScript';
  return /(^|\/)python[\d.]*$/.test(spec?.command?.[0] ?? '') ? 'Python' : 'unknown';
}

function eventTypeOf(ended: boolean, status: RunStatus | StepStatus): RunEvent['eventType'] {
  if (!ended) return 'START';
  if (status === 'completed') return 'COMPLETE';
  return status === 'failed' || status === 'timed_out' ? 'FAIL' : 'ABORT';
}
