import { Context } from '@temporalio/activity';
import { isMillraceError } from '../sdk/errors.js';
import type { CloseRun, OpenedRun, OpenRun, PlanRequest, RunPlan } from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import { isStepClosed } from '../sdk/states.js';
import { temporalFailure } from './failures.js';
import { planRun, planWithoutImages } from './plan-run.js';
import { now, stepRow } from './step-row.js';
import type { StepEnvironment } from './step-environment.js';

/** A run's beginning, plan and end. */
export function runActivities(env: StepEnvironment) {
  const { catalog, projector } = env;
  return {
    async [activityNames.openRun]({ specs, startedAt, ...request }: OpenRun): Promise<OpenedRun> {
      const { run: id, pipeline, build, queue, input, tags, parent, recover } = request;
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
        ...(recover && { recovers: recover.run }),
        ...(env.service !== undefined && { service: env.service }),
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
