import { Context } from '@temporalio/activity';
import { setTimeout as pause } from 'node:timers/promises';
import { isMillraceError } from '../sdk/errors.js';
import type { CloseRun, OpenedRun, OpenRun, PlanRequest, RunPlan } from '../sdk/protocol/messages.js';
import { activityNames, workflowQueue } from '../sdk/protocol/names.js';
import { isInfrastructure } from '../sdk/protocol/failure.js';
import { isStepClosed } from '../sdk/states.js';
import { temporalFailure } from './failures.js';
import { planRun, planWithoutImages } from './plan-run.js';
import { now, stepRow } from './step-row.js';
import type { StepEnvironment } from './step-environment.js';
import { whileBeating } from './while-beating.js';

/** A run's beginning, plan and end. */
export function runActivities(env: StepEnvironment) {
  const { catalog, projector } = env;
  return {
    async [activityNames.openRun]({ specs, startedAt, dueAt, ...request }: OpenRun): Promise<OpenedRun> {
      const { run: id, pipeline, build, queue, input, tags, parent, recover } = request;
      const begun = { startedAt, ...(dueAt !== undefined && { dueAt }) };
      const first = await catalog.insertRun({
        id,
        pipeline,
        build,
        queue,
        input,
        tags,
        status: 'running',
        ...begun,
        ...(parent && { parent }),
        ...(recover && { recovers: recover.run }),
        ...(env.service !== undefined && { service: env.service }),
      });
      const home = homeOf(Context.current().info.taskQueue, request);
      // A child of a run that was moved: it has that one's queue and code.
      if (home !== build) await catalog.moves.add({ run: id, home, build, at: startedAt });
      if (parent)
        projector.add({ steps: [{ ...stepRow(parent, 'pipeline', pipeline), status: 'running', input }] });
      const plan = await planWithoutImages(specs, env);
      // Who started the run may have told of it already, by its own clock: the steps' times are the service's, and so is the run's.
      if (plan || !first) await catalog.updateRun({ id, ...(!first && begun), ...(plan && { plan }) });
      return plan ? { plan } : {};
    },

    async [activityNames.checkRun]({ specs }: PlanRequest): Promise<OpenedRun> {
      const plan = await planWithoutImages(specs, env);
      return plan ? { plan } : {};
    },

    async [activityNames.planRun]({ run, specs }: PlanRequest): Promise<RunPlan> {
      return whileBeating(async (context) => {
        const { cancellationSignal: signal, info } = context;
        // A run that was started waits a moment for an engine that is being restarted; who only asks is told at once.
        const until = run === undefined ? 0 : info.scheduledTimestampMs + awaitedMs;
        const onDetail = (detail: string) => context.heartbeat({ status: 'running', detail });
        const plan = await untilThere(() => planRun(specs, env, { signal, onDetail }), {
          until,
          signal,
        }).catch((error: unknown) => {
          // Nothing has started yet: better to say what is missing than to wait for it any longer.
          throw isMillraceError(error) ? temporalFailure(error.at({ run }), true) : error;
        });
        if (run !== undefined) await catalog.updateRun({ id: run, plan });
        return plan;
      });
    },

    async [activityNames.closeRun]({
      run,
      status,
      output,
      failure,
      cleanupFailure,
      steps,
    }: CloseRun): Promise<void> {
      const closedAt = now();
      // Whatever the workflow leaves open ends with it: Temporal cancels its activities.
      projector.add({
        steps: steps.map(({ path: step, name, kind, scheduledAt, ...state }) => ({
          run, path: step, name, kind, scheduledAt,
          status: isStepClosed(state.status) ? state.status : 'cancelled',
          closedAt: state.closedAt ?? closedAt,
          ...(state.failure && { failure: state.failure }),
          ...(state.cached && { cached: state.cached }),
          ...(state.reused && { reused: state.reused }),
        })),
      }); // prettier-ignore
      if (steps.some((step) => !isStepClosed(step.status))) {
        const running = (await catalog.attempts(run)).filter((attempt) => attempt.status === 'running');
        projector.add({
          attempts: running.map((attempt) => ({ ...attempt, status: 'cancelled', closedAt })),
        });
      }
      if (cleanupFailure) {
        const text = `cleanup failed: ${cleanupFailure.what} (${cleanupFailure.code})`;
        projector.add({ timeline: [{ run, path: '', at: closedAt, attempt: 0, kind: 'cleanup', text }] });
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
        ...(cleanupFailure && { cleanupFailure }),
      });
      const { parent, pipeline = '' } = (await catalog.run(run)) ?? {};
      if (parent)
        projector.add({
          steps: [
            {
              ...stepRow(parent, 'pipeline', pipeline),
              status: status === 'completed' ? 'completed' : status === 'cancelled' ? 'cancelled' : 'failed',
              closedAt,
            },
          ],
        });
    },
  };
}

const awaitedMs = 30_000;

/** Tries again what fails for want of the infrastructure. @param until ms since 1970 */
async function untilThere<T>(
  work: () => Promise<T>,
  { until, signal }: { readonly until: number; readonly signal: AbortSignal },
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isMillraceError(error) || !isInfrastructure(error) || Date.now() > until) throw error;
      await pause(1_000, undefined, { signal });
    }
  }
}

/** The build whose queue a run lives on. */
const homeOf = (taskQueue: string, { queue, build }: Pick<OpenRun, 'queue' | 'build'>): string =>
  taskQueue.startsWith(workflowQueue(queue, '')) ? taskQueue.slice(workflowQueue(queue, '').length) : build;
