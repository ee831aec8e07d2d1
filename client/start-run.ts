import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { walkArtifacts } from '../sdk/artifact.js';
import type { ArtifactRef } from '../sdk/artifact.js';
import { checkSize } from '../sdk/check-size.js';
import { durationMs } from '../sdk/duration.js';
import { failurePolicy } from '../sdk/failure-policy.js';
import { ArtifactMissing, InvalidInput, RunExists, UnknownStep } from '../sdk/errors.js';
import { PIPELINE } from '../sdk/pipeline.js';
import type { AnyPipeline } from '../sdk/pipeline.js';
import type { RecoverRequest, RunRequest } from '../sdk/protocol/messages.js';
import { memoNames, searchAttributes, workflowQueue } from '../sdk/protocol/names.js';
import { canonicalDigest } from '../store/canonical-digest.js';
import type { BuildRecord, RunRecord } from '../store/catalog.js';
import { touchArtifact } from '../store/touch-artifact.js';
import { restoreValue } from '../store/values-by-reference.js';
import type { RunHandle, StartOptions } from './client.js';
import type { ClientParts } from './client-parts.js';
import { currentBuild } from './client-parts.js';
import { nearestName } from './nearest-name.js';
import { checkInput, pipelineOfBuild } from './pipelines-of-build.js';
import { newRunId } from './run-id.js';

import { serviceError } from './temporal-errors.js';
import { runHandle } from './run-handle.js';

/** Starts a run, or finds the one that has this id already. */
export async function startRun(
  parts: ClientParts,
  pipeline: AnyPipeline | string,
  input: unknown,
  options: StartOptions & { readonly recover?: RecoverRequest },
): Promise<RunHandle<never>> {
  const { catalog, config, temporal } = parts;
  const { name, build, timeoutMs } = await accept(parts, pipeline, input);
  const run = options.runId ?? newRunId(name);
  checkRunId(run);
  const known = await catalog.run(run);
  const { tags = {}, cache: use = true, refresh = [], recover } = options;
  if (known && recover && known.recovers !== recover.run) {
    throw new RunExists(`A run \`${run}\` exists already, and does not recover \`${recover.run}\`.`, {
      run,
      hint: 'Choose another run id.',
    });
  }
  if (known) return sameRun(known, name, input, parts);
  const onFailure = failurePolicy(options.onFailure, 'The start of a run');
  checkStepNames(refresh, build);
  const timeout = options.timeout === undefined ? timeoutMs : durationMs(options.timeout, 'timeout');
  const request: RunRequest = {
    run,
    pipeline: name,
    input,
    build: build.id,
    queue: config.queue,
    tags,
    adoptWithinMs: parts.config.adoptWithinMs,
    ...(onFailure && { onFailure }),
    ...((!use || refresh.length > 0) && { cache: { use, refresh } }),
    ...(recover && { recover }),
  };
  const { client, service } = await temporal();
  const inputDigest = canonicalDigest(input);
  try {
    await client.workflow.start(name, {
      workflowId: run,
      taskQueue: workflowQueue(config.queue, build.id),
      args: [request],
      memo: { [memoNames.input]: inputDigest },
      searchAttributes: {
        [searchAttributes.pipeline]: [name],
        [searchAttributes.status]: ['running'],
        [searchAttributes.build]: [build.id],
      },
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
      ...(timeout !== undefined && { workflowExecutionTimeout: timeout }),
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw serviceError(error);
    // Another start with this id was quicker, or the catalog never heard of it: the service knows what it began with.
    const { memo, type } = await client.workflow.getHandle(run).describe();
    if (type !== name || memo?.[memoNames.input] !== inputDigest) throw runExists(run, type);
  }
  const record: RunRecord = {
    id: run,
    pipeline: name,
    build: build.id,
    queue: config.queue,
    status: 'running',
    input,
    tags,
    startedAt: new Date().toISOString(),
    ...(service !== undefined && { service }),
    ...(recover && { recovers: recover.run }),
  };
  // The run has started, and its first activity records it too: an error here would have the caller start another one.
  await catalog.insertRun(record).catch(() => undefined);
  return runHandle(run, parts) as RunHandle<never>;
}

/** Everything that can be known to be wrong before a run exists. */
export async function accept(
  parts: ClientParts,
  pipeline: AnyPipeline | string,
  input: unknown,
): Promise<{ name: string; build: BuildRecord; timeoutMs: number | undefined }> {
  const { store, config } = parts;
  const name = typeof pipeline === 'string' ? pipeline : pipeline[PIPELINE].name;
  const build = await currentBuild(parts);
  const definition = await pipelineOfBuild(name, { build, store, projectDir: config.projectDir });
  checkInput(definition, input);
  checkSize(input, `The input of pipeline \`${name}\``);
  const missing: ArtifactRef[] = [];
  const refs: ArtifactRef[] = [];
  walkArtifacts(input, (ref) => refs.push(ref));
  for (const ref of refs)
    if (!(await store.has(ref)) || !(await touchArtifact(store, ref))) missing.push(ref);
  if (missing[0]) {
    throw new ArtifactMissing(
      `The input names ${missing[0].name} (${missing[0].digest}), which is not in the store.`,
      { hint: 'Upload it first: `--input name=@path` or client.upload(path).' },
    );
  }
  return { name, build, timeoutMs: definition.timeoutMs };
}

async function sameRun(
  known: RunRecord,
  pipeline: string,
  input: unknown,
  parts: ClientParts,
): Promise<RunHandle<never>> {
  const before = await restoreValue(known.input, parts.store);
  if (known.pipeline !== pipeline || canonicalDigest(before) !== canonicalDigest(input)) {
    throw runExists(known.id, known.pipeline);
  }
  return runHandle(known.id, parts) as RunHandle<never>;
}

const runExists = (run: string, pipeline: string): RunExists =>
  new RunExists(`A run \`${run}\` exists already, of ${pipeline} with another input.`, {
    run,
    hint: 'Choose another run id.',
  });

/** @throws UnknownStep with the nearest name */
function checkStepNames(names: readonly string[], build: BuildRecord): void {
  const known = build.steps.map((step) => step.name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const nearest = nearestName(unknown, known);
  throw new UnknownStep(`There is no step \`${unknown}\` to compute anew.`, {
    hint: `${nearest === undefined ? '' : `Did you mean \`${nearest}\`? `}Steps of this build: ${known.join(', ')}.`,
    fields: { known },
  });
}

/** A run id stands in file names and container labels. @throws InvalidInput */
function checkRunId(run: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(run)) return;
  throw new InvalidInput(`${JSON.stringify(run.slice(0, 140))} cannot be a run id.`, {
    hint: 'Use letters, digits, ., _ and -, 128 at most.',
  });
}
