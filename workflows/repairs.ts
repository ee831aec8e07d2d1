import {
  condition,
  defineUpdate,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
} from '@temporalio/workflow';
import { RepairRefused } from '../sdk/errors.js';
import type {
  AcceptedRepair,
  CheckRepair,
  PlanRequest,
  RecordRepair,
  Repair,
  ResolvedImage,
  RunPlan,
  StepTask,
} from '../sdk/protocol/messages.js';
import { activityNames, updates } from '../sdk/protocol/names.js';
import { failureInfo, typedError, workflowFailure } from './failures.js';

const local = proxyLocalActivities<{
  [activityNames.checkRepair](request: CheckRepair): Promise<AcceptedRepair>;
  [activityNames.recordRepair](repaired: RecordRepair): Promise<void>;
}>({ startToCloseTimeout: '2 minutes', retry: { maximumInterval: '10s' } });

const remote = proxyActivities<{ [activityNames.planRun](request: PlanRequest): Promise<RunPlan> }>({
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '15s',
  retry: { maximumInterval: '1 minute', maximumAttempts: 3 },
});

export type RepairOrder = {
  readonly repair: Repair;
  readonly accepted: AcceptedRepair;
  /** What the next attempt runs in, where that had to be found anew. */
  readonly image?: ResolvedImage;
};

/** The parked steps of a run, and the update that repairs one. */
export interface Repairs {
  /** Waits for a repair; undefined when `withinMs` passed first. */
  wait(task: StepTask, withinMs: number | undefined): Promise<RepairOrder | undefined>;
}

type Parked = { readonly task: StepTask; busy: boolean; order: RepairOrder | undefined };

/**
 * A repair of a step that is not parked is refused without a trace in the history; one that does not fit the step's schema,
 * by an activity that has its code. Either way the step stays parked.
 */
export function openRepairs(run: string): Repairs {
  const parked = new Map<string, Parked>();
  setHandler(
    defineUpdate<void, [Repair]>(updates.repair),
    async (repair) => {
      const entry = parked.get(repair.path);
      if (!entry || entry.busy) return refuseWrong(run, parked, repair);
      entry.busy = true;
      try {
        const { task } = entry;
        const accepted = await local[activityNames.checkRepair]({ task, repair });
        const image = await imageOf(repair, accepted);
        const at = new Date().toISOString();
        await local[activityNames.recordRepair]({ task, repair, accepted, at });
        entry.order = { repair, accepted, ...(image && { image }) };
      } catch (error) {
        const info = failureInfo(typedError(error, { run, step: repair.path }), { run, step: repair.path });
        throw workflowFailure(info, error instanceof Error ? error.message : String(error));
      } finally {
        entry.busy = false;
      }
    },
    { validator: (repair) => refuseWrong(run, parked, repair) },
  );
  return {
    async wait(task, withinMs) {
      const entry: Parked = { task, busy: false, order: undefined };
      parked.set(task.path, entry);
      try {
        const isRepaired = () => entry.order !== undefined;
        if (withinMs === undefined) await condition(isRepaired);
        else if (!(await condition(isRepaired, withinMs)) && entry.busy) await condition(() => !entry.busy);
        return entry.order;
      } finally {
        parked.delete(task.path);
      }
    },
  };
}

/** An image that cannot be had refuses the repair, too. */
async function imageOf(repair: Repair, accepted: AcceptedRepair): Promise<ResolvedImage | undefined> {
  if (accepted.do !== 'retry' || repair.do !== 'retry') return undefined;
  if (repair.image === undefined && repair.source === undefined) return undefined;
  const { images } = await remote[activityNames.planRun]({ specs: [accepted.spec] });
  return images[accepted.spec.name];
}

function refuseWrong(run: string, parked: ReadonlyMap<string, Parked>, { path, by }: Repair): void {
  const entry = parked.get(path);
  const names = [...parked.keys()].join(', ') || 'none';
  if (!entry) refuse(`Step \`${path}\` is not parked.`, `Parked steps of the run: ${names}.`);
  else if (entry.busy || entry.order)
    refuse(`Step \`${path}\` is being repaired already.`, 'See `millrace show`.');
  else if (!by.trim()) refuse(`The repair of \`${path}\` names nobody.`, 'Say who repairs.');

  function refuse(what: string, hint: string): never {
    const error = new RepairRefused(what, { run, step: path, hint });
    throw workflowFailure(failureInfo(error, {}), error.message);
  }
}
