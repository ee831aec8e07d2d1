import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline as pump } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { ArtifactRef } from '../sdk/artifact.js';
import { InfrastructureFailed, InvalidInput, isMillraceError } from '../sdk/errors.js';
import type {
  CloseApproval,
  CloseRun,
  FetchTask,
  OpenApproval,
  OpenedRun,
  OpenRun,
  PlanRequest,
  PromoteTask,
  RecordGate,
  RegisterTask,
  RunPlan,
} from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import type { AliasChange, ModelVersion } from '../sdk/registry.js';
import type { StepKind } from '../sdk/states.js';
import { isStepClosed } from '../sdk/states.js';
import type { StepRecord } from '../store/catalog.js';
import { placedError, temporalFailure } from './failures.js';
import { planRun, planWithoutImages } from './plan-run.js';
import type { StepEnvironment } from './step-environment.js';

/** The activities behind every word of the SDK but steps. Each may run twice. */
export function createOwnActivities(env: StepEnvironment) {
  const { catalog, projector, store } = env;
  const now = () => new Date().toISOString();
  const stepRow = (
    place: { run: string; path: string },
    kind: StepKind,
    name: string,
  ): Omit<StepRecord, 'status'> => ({ run: place.run, path: place.path, name, kind, scheduledAt: now() });

  const activities = {
    async [activityNames.openRun]({ specs, startedAt, ...request }: OpenRun): Promise<OpenedRun> {
      const { run: id, pipeline, build, queue, input, tags, parent } = request;
      await catalog.insertRun({
        id,
        pipeline,
        build,
        queue,
        input,
        tags,
        status: 'running',
        startedAt,
        ...(parent && { parent }),
      });
      if (parent)
        projector.add({ steps: [{ ...stepRow(parent, 'pipeline', pipeline), status: 'running', input }] });
      const plan = await planWithoutImages(specs, env);
      if (plan) await catalog.updateRun({ id, plan });
      return plan ? { plan } : {};
    },

    async [activityNames.checkRun]({ specs }: PlanRequest): Promise<OpenedRun> {
      const plan = await planWithoutImages(specs, env);
      return plan ? { plan } : {};
    },

    async [activityNames.planRun]({ run, specs }: PlanRequest): Promise<RunPlan> {
      const context = Context.current();
      const beat = setInterval(() => context.heartbeat(), 5_000);
      try {
        const plan = await planRun(specs, env, {
          signal: context.cancellationSignal,
          onDetail: (detail) => context.heartbeat({ status: 'running', detail }),
        });
        if (run !== undefined) await catalog.updateRun({ id: run, plan });
        return plan;
      } catch (error) {
        // Nothing has started yet: better to say at once what is missing than to wait for it.
        throw isMillraceError(error) ? temporalFailure(error.at({ run }), true) : error;
      } finally {
        clearInterval(beat);
      }
    },

    async [activityNames.closeRun]({ run, status, output, failure, steps }: CloseRun): Promise<void> {
      const closedAt = now();
      // Whatever the workflow leaves open ends with it: Temporal cancels its activities.
      projector.add({
        steps: steps.map(({ path: step, name, kind, scheduledAt, ...state }) => ({
          run, path: step, name, kind, scheduledAt,
          status: isStepClosed(state.status) ? state.status : 'cancelled',
          closedAt: state.closedAt ?? closedAt,
          ...(state.failure && { failure: state.failure }),
        })),
      }); // prettier-ignore
      if (steps.some((step) => !isStepClosed(step.status))) {
        const running = (await catalog.attempts(run)).filter((attempt) => attempt.status === 'running');
        projector.add({
          attempts: running.map((attempt) => ({ ...attempt, status: 'cancelled', closedAt })),
        });
      }
      await projector.flush();
      for (const approval of await catalog.approvals({ run, status: 'open' }))
        await catalog.closeApproval({ run, path: approval.path, status: 'cancelled' });
      await catalog.updateRun({
        id: run,
        status,
        closedAt,
        ...(output !== undefined && { output }),
        ...(failure && { failure }),
      });
      const parent = (await catalog.run(run))?.parent;
      if (parent)
        projector.add({
          steps: [
            {
              ...stepRow(parent, 'pipeline', run),
              status: status === 'completed' ? 'completed' : status === 'cancelled' ? 'cancelled' : 'failed',
              closedAt,
            },
          ],
        });
    },

    async [activityNames.recordGate]({ run, path: step, outcome, evidence }: RecordGate): Promise<void> {
      const at = now();
      await catalog.recordGate({ run, path: step, outcome, evidence, at });
      projector.add({
        steps: [
          {
            ...stepRow({ run, path: step }, 'gate', outcome.gate),
            status: 'completed',
            detail: outcome.outcome,
            output: outcome,
            closedAt: at,
          },
        ],
      });
    },

    async [activityNames.openApproval]({
      run,
      path: step,
      gate,
      of,
      evidence,
      until,
    }: OpenApproval): Promise<void> {
      await catalog.openApproval({
        run,
        path: step,
        gate,
        evidence,
        status: 'open',
        openedAt: now(),
        ...(of && { of }),
        ...(until !== undefined && { until }),
      });
      projector.add({ steps: [{ ...stepRow({ run, path: step }, 'approval', gate), status: 'waiting' }] });
      await projector.flush();
    },

    async [activityNames.closeApproval]({ run, path: step, gate, decision }: CloseApproval): Promise<void> {
      const { decision: answer } = decision;
      await catalog.closeApproval({ run, path: step, status: answer, ...('by' in decision && { decision }) });
      projector.add({
        steps: [
          {
            ...stepRow({ run, path: step }, 'approval', gate),
            status: answer === 'approved' ? 'completed' : 'failed',
            detail: answer,
            output: decision,
            closedAt: now(),
          },
        ],
      });
    },

    async [activityNames.register]({
      run,
      path: step,
      name,
      model,
      metrics,
      evidence,
    }: RegisterTask): Promise<ModelVersion> {
      if (!(await store.has(model))) {
        throw new InvalidInput(`The model to register as \`${name}\` is not in the store: ${model.digest}.`, {
          run,
          step,
        });
      }
      const row = stepRow({ run, path: step }, 'register', name);
      const { version } = await catalog.registerVersion({
        run,
        path: step,
        name,
        model,
        metrics,
        evidence,
        createdAt: now(),
      });
      projector.add({
        steps: [
          {
            ...row,
            status: 'completed',
            detail: `version ${version}`,
            output: { name, version },
            closedAt: now(),
          },
        ],
        artifacts: [{ run, path: step, direction: 'input', field: 'model', artifact: model, at: now() }],
      });
      await projector.flush();
      return { name, version, model };
    },

    async [activityNames.promote]({ run, path: step, version, alias }: PromoteTask): Promise<AliasChange> {
      const row = stepRow({ run, path: step }, 'promote', version.name);
      const change = await catalog.setAlias({
        run,
        path: step,
        name: version.name,
        version: version.version,
        alias,
        at: now(),
      });
      const detail = `${alias}: version ${change.former ?? 'none'} → ${change.version}`;
      projector.add({ steps: [{ ...row, status: 'completed', detail, output: change, closedAt: now() }] });
      await projector.flush();
      return change;
    },

    async [activityNames.fetchData]({ run, path: step, uri, kind }: FetchTask): Promise<ArtifactRef> {
      const row = stepRow({ run, path: step }, 'fetch', 'fetchData');
      projector.add({ steps: [{ ...row, status: 'running', detail: uri }] });
      const artifact = await fetchUri(uri, kind, { store, signal: Context.current().cancellationSignal });
      projector.add({
        steps: [{ ...row, status: 'completed', detail: uri, output: artifact, closedAt: now() }],
        artifacts: [{ run, path: step, direction: 'output', field: 'data', artifact, at: now() }],
      });
      await projector.flush();
      return artifact;
    },
  };
  return Object.fromEntries(
    Object.entries(activities).map(([name, body]) => [name, typedFailures(body as Body)]),
  );
}

type Body = (task: { readonly run?: string; readonly path?: string }) => Promise<unknown>;

/** Errors leave an activity as Temporal failures of our codes. */
const typedFailures =
  (body: Body): Body =>
  async (task) => {
    try {
      return await body(task);
    } catch (error) {
      throw error instanceof ApplicationFailure
        ? error
        : temporalFailure(placedError(error, { run: task.run, step: task.path }));
    }
  };

type FetchOptions = { readonly store: StepEnvironment['store']; readonly signal: AbortSignal };

/** Reads a source into the store. A `file:` source lies on the worker's disk. */
async function fetchUri(
  uri: string,
  kind: ArtifactRef['$artifact'],
  { store, signal }: FetchOptions,
): Promise<ArtifactRef> {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  const name = path.basename(url?.pathname ?? uri);
  if (url?.protocol === 'file:')
    return { $artifact: kind, ...(await store.put(fileURLToPath(url), { signal })), name };
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new InvalidInput(`fetchData cannot read ${JSON.stringify(uri)}.`, {
      hint: 'Give a file:, http: or https: address.',
    });
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-fetch-'));
  try {
    const response = await fetch(url, { signal });
    if (!response.ok || !response.body)
      throw new InfrastructureFailed(`${uri} answered ${response.status} ${response.statusText}.`, {
        fields: { status: response.status },
      });
    const file = path.join(folder, 'data');
    await pump(Readable.fromWeb(response.body), createWriteStream(file));
    return { $artifact: kind, ...(await store.put(file, { signal })), name };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
