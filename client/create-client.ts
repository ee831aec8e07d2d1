import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { isGrpcServiceError, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load-config.js';
import { statePaths } from '../config/state-paths.js';
import { walkArtifacts } from '../sdk/artifact.js';
import type { ArtifactKind, ArtifactRef } from '../sdk/artifact.js';
import { durationMs } from '../sdk/duration.js';
import {
  ArtifactMissing,
  isMillraceError,
  NoBuild,
  RunCancelled,
  RunExists,
  RunFailed,
  UnknownModel,
  UnknownRun,
} from '../sdk/errors.js';
import { PIPELINE } from '../sdk/pipeline.js';
import type { AnyPipeline } from '../sdk/pipeline.js';
import { sentence } from '../sdk/sentence.js';
import { fromFailureInfo, toFailureInfo } from '../sdk/protocol/failure.js';
import type { Decide, PlanRequest, RunPlan, RunRequest } from '../sdk/protocol/messages.js';
import { dryRunWorkflow, searchAttributes, updates, workflowQueue } from '../sdk/protocol/names.js';
import { isClosed } from '../sdk/states.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { BuildRecord, Catalog, RunRecord } from '../store/catalog.js';
import { openArtifactStore } from '../store/open-artifact-store.js';
import { openCatalog } from '../store/open-catalog.js';
import type { DryRun, MillraceClient, RunHandle, StartOptions } from './client.js';
import { checkInput, pipelineOfBuild } from './pipelines-of-build.js';
import { readLogs } from './read-logs.js';
import { readView } from './read-view.js';
import { reconcileRun } from './reconcile.js';
import { newRunId } from './run-id.js';
import { decisionError, runError } from './temporal-errors.js';
import { connectTemporal } from './temporal-connection.js';

export type ClientOptions = {
  /** Default: read from millrace.config.ts and the environment. */
  readonly config?: Config;
  /** host:port of the service. Default: the config's, else the embedded service of the state directory. */
  readonly address?: string;
};

/**
 * Opens a client: catalog and artifact store at once, the service when a call needs it.
 * @throws ConfigInvalid; calls throw TemporalUnavailable
 */
export async function createClient(options: ClientOptions = {}): Promise<MillraceClient> {
  const config = options.config ?? (await loadConfig());
  const catalog = await openCatalog(config.catalog);
  const store = await openArtifactStore(config.store);
  let connection: ReturnType<typeof connectTemporal> | undefined;
  const temporal = async (): Promise<Client> => {
    connection ??= connectTemporal(config, {
      ...(options.address !== undefined && { address: options.address }),
    });
    connection.catch(() => {
      connection = undefined;
    });
    return (await connection).client;
  };
  const parts: Parts = { config, catalog, store, temporal };

  return {
    async start(pipeline: AnyPipeline | string, input: unknown, startOptions: StartOptions = {}) {
      return startRun(parts, pipeline, input, startOptions);
    },
    dryRun: (pipeline, input) => dryRun(parts, pipeline, input),
    run: (id) => runHandle(id, parts),
    runs: async (filter = {}) => {
      const open = await catalog.runs({ ...filter, status: 'running' });
      await reconcileAll(open, parts);
      return catalog.runs(filter);
    },
    async upload<K extends ArtifactKind = 'dataset'>(file: string, { kind }: { readonly kind?: K } = {}) {
      const stored = await store.put(path.resolve(file));
      return { $artifact: kind ?? 'dataset', ...stored, name: path.basename(file) } as ArtifactRef<K>;
    },
    download: (artifact, target) => store.place(artifact, path.resolve(target), { mode: 'copy' }),
    models: () => catalog.models(),
    async model(name) {
      const model = await catalog.model(name);
      if (!model)
        throw new UnknownModel(`There is no model \`${name}\`.`, { hint: 'See `millrace models`.' });
      return model;
    },
    currentBuild: () => currentBuild(parts),
    async [Symbol.asyncDispose]() {
      await (await connection?.catch(() => undefined))?.connection.close();
      await catalog[Symbol.asyncDispose]();
    },
  };
}

type Parts = {
  readonly config: Config;
  readonly catalog: Catalog;
  readonly store: ArtifactStore;
  readonly temporal: () => Promise<Client>;
};

async function currentBuild({ catalog, config }: Parts): Promise<BuildRecord> {
  const build = await catalog.currentBuild(config.queue);
  if (build) return build;
  throw new NoBuild(`No worker has published a build for the queue \`${config.queue}\`.`, {
    hint: 'Start `millrace dev` or `millrace worker` in the project, and try again.',
  });
}

async function startRun(
  parts: Parts,
  pipeline: AnyPipeline | string,
  input: unknown,
  options: StartOptions,
): Promise<RunHandle<never>> {
  const { catalog, config, temporal } = parts;
  const { name, build, timeoutMs } = await accept(parts, pipeline, input);
  const run = options.runId ?? newRunId(name);
  const known = await catalog.run(run);
  if (known) return sameRun(known, name, input, parts);
  const { tags = {} } = options;
  const timeout = options.timeout === undefined ? timeoutMs : durationMs(options.timeout, 'timeout');
  const request: RunRequest = { run, pipeline: name, input, build: build.id, queue: config.queue, tags };
  const client = await temporal();
  await client.workflow.start(name, {
    workflowId: run,
    taskQueue: workflowQueue(config.queue, build.id),
    args: [request],
    searchAttributes: {
      [searchAttributes.pipeline]: [name],
      [searchAttributes.status]: ['running'],
      [searchAttributes.build]: [build.id],
    },
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
    ...(timeout !== undefined && { workflowExecutionTimeout: timeout }),
  });
  await catalog.insertRun({
    id: run,
    pipeline: name,
    build: build.id,
    queue: config.queue,
    status: 'running',
    input,
    tags,
    startedAt: new Date().toISOString(),
  });
  return runHandle(run, parts) as RunHandle<never>;
}

/** Everything that can be known to be wrong before a run exists. */
async function accept(
  parts: Parts,
  pipeline: AnyPipeline | string,
  input: unknown,
): Promise<{ name: string; build: BuildRecord; timeoutMs: number | undefined }> {
  const { store, config } = parts;
  const name = typeof pipeline === 'string' ? pipeline : pipeline[PIPELINE].name;
  const build = await currentBuild(parts);
  const definition = await pipelineOfBuild(name, { build, store, projectDir: config.projectDir });
  checkInput(definition, input);
  const missing: ArtifactRef[] = [];
  const refs: ArtifactRef[] = [];
  walkArtifacts(input, (ref) => refs.push(ref));
  for (const ref of refs) if (!(await store.has(ref))) missing.push(ref);
  if (missing[0]) {
    throw new ArtifactMissing(
      `The input names ${missing[0].name} (${missing[0].digest}), which is not in the store.`,
      { hint: 'Upload it first: `--input name=@path` or client.upload(path).' },
    );
  }
  return { name, build, timeoutMs: definition.timeoutMs };
}

function sameRun(known: RunRecord, pipeline: string, input: unknown, parts: Parts): RunHandle<never> {
  if (known.pipeline === pipeline && JSON.stringify(known.input) === JSON.stringify(input))
    return runHandle(known.id, parts) as RunHandle<never>;
  throw new RunExists(`A run \`${known.id}\` exists already, of ${known.pipeline} with another input.`, {
    run: known.id,
    hint: 'Choose another run id.',
  });
}

async function dryRun(parts: Parts, pipeline: AnyPipeline | string, input: unknown): Promise<DryRun> {
  const { config, temporal } = parts;
  const name = typeof pipeline === 'string' ? pipeline : pipeline[PIPELINE].name;
  const build = await currentBuild(parts);
  const problems: { code: string; message: string }[] = [];
  const note = (error: unknown) => {
    if (!isMillraceError(error)) throw error;
    problems.push({ code: error.code, message: error.message });
  };
  await accept(parts, pipeline, input).catch(note);
  const names = build.pipelines.find((each) => each.name === name)?.steps ?? [];
  const specs = build.steps.filter((spec) => names.includes(spec.name));
  let plan: RunPlan | undefined;
  if (names.length > 0) {
    const client = await temporal();
    const request: PlanRequest = { specs };
    plan = await client.workflow
      .execute<(request: PlanRequest) => Promise<RunPlan>>(dryRunWorkflow, {
        workflowId: newRunId(`dry-run-${name}`),
        taskQueue: workflowQueue(config.queue, build.id),
        args: [request],
      })
      .catch((error: unknown) => note(runError(error, 'dry-run')) ?? undefined);
  }
  return {
    pipeline: name,
    build: build.id,
    problems,
    warnings: plan?.warning === undefined ? [] : [plan.warning],
    steps: specs.map((spec) => {
      const image = plan?.images[spec.name];
      const executor =
        spec.isolation === 'inline' || spec.isolation === 'none'
          ? 'worker'
          : spec.isolation === 'process'
            ? 'process'
            : (plan?.executor ?? 'unknown');
      return {
        name: spec.name,
        executor,
        detail: `${spec.resources.cpus} cpus, ${spec.resources.memory} bytes`,
        ...(image && { image: image.id }),
      };
    }),
  };
}

/** NOT_FOUND of gRPC. */
const grpcNotFound = 5;

function runHandle(id: string, parts: Parts): RunHandle {
  const { catalog, store, config, temporal } = parts;
  const workflow = async (): Promise<WorkflowHandle> => (await temporal()).workflow.getHandle(id);
  const isOpen = async () => {
    const run = await catalog.run(id);
    return run !== undefined && !isClosed(run.status);
  };
  const view = async (reconcile: boolean) => {
    if (reconcile) await reconcileAll(await openTree(id, catalog), parts);
    return readView(id, catalog);
  };
  return {
    id,
    view: () => view(true),
    async *watch({ interval = 250, signal } = {}) {
      let shown = '';
      let reconciled = 0;
      for (;;) {
        const due = Date.now() - reconciled > 2_000;
        if (due) reconciled = Date.now();
        const current = await view(due);
        const { at: _at, ...content } = current;
        const text = JSON.stringify(content);
        if (text !== shown) yield current;
        shown = text;
        if (isClosed(current.run.status) || signal?.aborted) return;
        await pause(interval, undefined, signal ? { signal } : {}).catch(() => undefined);
      }
    },
    async result({ signal } = {}) {
      signal?.throwIfAborted();
      try {
        const waiting = (await workflow()).result();
        return await (signal ? Promise.race([waiting, rejectOnAbort(signal)]) : waiting);
      } catch (error) {
        if (error instanceof WorkflowFailedError) throw runError(error, id);
        if (error instanceof WorkflowNotFoundError) return recordedResult(id, catalog);
        throw error;
      }
    },
    async decide(gate, { decision, by = userInfo().username, reason }) {
      const answer: Decide = { gate, decision, by, ...(reason !== undefined && { reason }) };
      try {
        await (await workflow()).executeUpdate(updates.decide, { args: [answer] });
      } catch (error) {
        throw decisionError(error, id, gate);
      }
    },
    async cancel({ reason = '', by = userInfo().username } = {}) {
      const { workflowService, options } = await temporal();
      try {
        await workflowService.requestCancelWorkflowExecution({
          namespace: options.namespace,
          requestId: randomUUID(),
          identity: by,
          reason,
          workflowExecution: { workflowId: id },
        });
      } catch (error) {
        if (!isGrpcServiceError(error) || error.code !== grpcNotFound) throw error;
        throw new UnknownRun(`No open run \`${id}\` is there to cancel.`, { run: id, cause: error });
      }
      const what = `The run was cancelled by ${by}${reason ? `: ${sentence(reason)}` : '.'}`;
      await catalog.updateRun({
        id,
        failure: toFailureInfo(new RunCancelled(what, { run: id, fields: { by, reason } })),
      });
    },
    logs: ({ step, attempt, follow = false, signal } = {}) =>
      readLogs({
        run: id,
        step,
        attempt,
        follow,
        signal,
        catalog,
        store,
        paths: statePaths(config.stateDir),
        isOpen,
      }),
  };
}

/** Retention has passed: what the catalog kept. */
async function recordedResult(id: string, catalog: Catalog): Promise<unknown> {
  const run = await catalog.run(id);
  if (!run) throw new UnknownRun(`There is no run \`${id}\`.`, { hint: 'See `millrace runs`.' });
  if (run.status === 'completed') return run.output;
  throw run.failure ? fromFailureInfo(run.failure) : new RunFailed(`The run is ${run.status}.`, { run: id });
}

async function openTree(id: string, catalog: Catalog): Promise<readonly RunRecord[]> {
  const run = await catalog.run(id);
  if (!run) throw new UnknownRun(`There is no run \`${id}\`.`, { hint: 'See `millrace runs`.' });
  const children = await catalog.runs({ parent: id, status: 'running', limit: 1_000 });
  return [
    ...(isClosed(run.status) ? [] : [run]),
    ...(await Promise.all(children.map((child) => openTree(child.id, catalog)))).flat(),
  ];
}

/** Without the service the catalog's rows are all there is to show. */
async function reconcileAll(runs: readonly RunRecord[], { temporal, catalog }: Parts): Promise<void> {
  if (runs.length === 0) return;
  const client = await temporal().catch((error: unknown) => {
    if (isMillraceError(error)) return undefined;
    throw error;
  });
  if (!client) return;
  await Promise.all(runs.map((run) => reconcileRun(run, { temporal: client, catalog })));
}

const rejectOnAbort = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );
