import { ApplicationFailure } from '@temporalio/common';
import { cacheActivities } from './cache-activities.js';
import { decisionActivities } from './decision-activities.js';
import { failureActivities } from './failure-activities.js';
import { noteActivities } from './note-activities.js';
import { placedError, temporalFailure } from './failures.js';
import { fetchActivities } from './fetch-data.js';
import { recoveryActivities } from './recovery-activities.js';
import { registryActivities } from './registry-activities.js';
import { repairActivities } from './repair-activities.js';
import { runActivities } from './run-activities.js';
import type { StepEnvironment } from './step-environment.js';

/** The activities behind every word of the SDK but steps. Each may run twice. */
export function createOwnActivities(env: StepEnvironment): Readonly<Record<string, Body>> {
  const activities = {
    ...runActivities(env),
    ...cacheActivities(env),
    ...decisionActivities(env),
    ...registryActivities(env),
    ...fetchActivities(env),
    ...failureActivities(env),
    ...noteActivities(env),
    ...repairActivities(env),
    ...recoveryActivities(env),
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
