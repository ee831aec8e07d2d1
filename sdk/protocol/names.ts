/** Names and shapes that workflows, activities, workers and clients share across Temporal. Changing one breaks open runs. */

/** Search attributes of a run's workflow. */
export const searchAttributes = {
  pipeline: 'MillracePipeline',
  status: 'MillraceStatus',
  build: 'MillraceBuild',
} as const;

/** Memo of a run's workflow: the digest of its input. */
export const memoNames = { input: 'millrace.input' } as const;

export const updates = {
  decide: 'millrace.decide',
  repair: 'millrace.repair',
  pause: 'millrace.pause',
  resume: 'millrace.resume',
} as const;
/**
 * `cancel` goes before Temporal's own request, which has no room for who and why; parents send both to their child runs.
 * `leftOut` goes to the parent of a run in which a step was left out.
 */
export const signals = {
  cancel: 'millrace.cancel',
  parentPaused: 'millrace.parentPaused',
  leftOut: 'millrace.leftOut',
} as const;
export const queries = { state: 'millrace.state' } as const;

/** Workflow that plans a run without starting it. */
export const dryRunWorkflow = 'millrace.dryRun';

/** Activities of our own. Any other activity type is a step, named after it. */
export const activityNames = {
  openRun: 'millrace.openRun',
  closeRun: 'millrace.closeRun',
  checkRun: 'millrace.checkRun',
  planRun: 'millrace.planRun',
  lookUpResult: 'millrace.lookUpResult',
  recordRunNote: 'millrace.recordRunNote',
  recordFailure: 'millrace.recordFailure',
  checkRepair: 'millrace.checkRepair',
  recordRepair: 'millrace.recordRepair',
  readRecorded: 'millrace.readRecorded',
  readRecordedCall: 'millrace.readRecordedCall',
  recordReused: 'millrace.recordReused',
  recordGate: 'millrace.recordGate',
  openApproval: 'millrace.openApproval',
  closeApproval: 'millrace.closeApproval',
  register: 'millrace.register',
  promote: 'millrace.promote',
  fetchData: 'millrace.fetchData',
} as const;

/** Queue of a build's workflows and of its local activities. */
export const workflowQueue = (queue: string, build: string): string => `${queue}/${build}`;
/** Queue of step activities, shared by all builds. */
export const stepQueue = (queue: string): string => `${queue}/steps`;
/** Queue of one host, for steps whose container may still be there. @param host its installation */
export const hostQueue = (queue: string, host: string): string => `${queue}/host/${host}`;

/**
 * Temporal's worker deployment of a build's queue: code of other builds is a version of it, named by its build, to which a run that
 * is moved is pinned. Neither `.` nor `:` may be in it.
 */
export const queueDeployment = (queue: string, home: string): string =>
  `millrace/${queue.replaceAll(/[.:]/g, '_')}/${home}`;

/** Put before a bundle's code it tells workflows which build's code serves them. */
export const buildMark = (build: string): string => `globalThis.millraceBuild=${JSON.stringify(build)};`;
