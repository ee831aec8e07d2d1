import { RepairRefused } from '../sdk/errors.js';
import { image as imageReference } from '../sdk/image.js';
import { inputProblems } from '../sdk/input-problems.js';
import type {
  AcceptedRepair,
  CheckRepair,
  RecordRepair,
  Repair,
  StepTask,
} from '../sdk/protocol/messages.js';
import { activityNames } from '../sdk/protocol/names.js';
import type { StepDefinition } from '../sdk/step.js';
import type { RepairRecord, StepRecord } from '../store/catalog.js';
import { artifactEdges } from './artifact-edges.js';
import { stepRow } from './step-row.js';
import type { StepEnvironment } from './step-environment.js';

/** The other side of `millrace repair`: what fits the step is taken and recorded with who and why; else nothing has happened. */
export function repairActivities(env: StepEnvironment) {
  return {
    async [activityNames.checkRepair]({ task, repair }: CheckRepair): Promise<AcceptedRepair> {
      return accept(task, repair, await env.placed.definition(task.spec));
    },

    [activityNames.recordRepair]: (repaired: RecordRepair): Promise<void> => record(env, repaired),
  };
}

/** @throws RepairRefused */
function accept(task: StepTask, repair: Repair, definition: StepDefinition): AcceptedRepair {
  const { spec } = task;
  switch (repair.do) {
    case 'abort':
      return { do: 'abort' };
    case 'skip':
      return { do: 'result', output: outputOf(task, definition, {}, 'cannot be left out') };
    case 'supply':
      return { do: 'result', output: outputOf(task, definition, repair.output, 'cannot have this output') };
    case 'retry': {
      const { memory, image, source, input } = repair;
      if (image !== undefined && spec.image === undefined)
        refuse(task, 'runs in no image', 'Leave `--image` out.');
      if (source && !spec.source)
        refuse(task, 'has no source folder', 'Leave `--source` out: its code is that of its pipeline.');
      return {
        do: 'retry',
        build: task.build,
        input: input ? inputOf(task, definition, input) : task.input,
        spec: {
          ...spec,
          ...(memory !== undefined && { resources: { ...spec.resources, memory } }),
          ...(image !== undefined && { image: imageReference(image), imageContext: undefined }),
          ...(source && { source }),
        },
      };
    }
  }
}

function outputOf(
  task: StepTask,
  { output }: StepDefinition,
  given: Readonly<Record<string, unknown>>,
  what: string,
): Readonly<Record<string, unknown>> {
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(output.shape, name));
  if (unknown.length > 0)
    refuse(
      task,
      `has no output ${unknown.join(', ')}`,
      `Its output: ${Object.keys(output.shape).join(', ') || 'nothing'}.`,
    );
  const parsed = output.safeParse(given);
  if (parsed.success) return parsed.data;
  return refuse(
    task,
    `${what}: ${inputProblems(parsed.error).join('; ')}`,
    'Give what the step declares as its output with `--output` and `--artifact`.',
  );
}

function inputOf(
  task: StepTask,
  { input }: StepDefinition,
  changed: Readonly<Record<string, unknown>>,
): unknown {
  const unknown = Object.keys(changed).filter((name) => !Object.hasOwn(input.shape, name));
  if (unknown.length > 0)
    refuse(task, `has no input ${unknown.join(', ')}`, `Its input: ${Object.keys(input.shape).join(', ')}.`);
  const merged = { ...(task.input as Readonly<Record<string, unknown>>), ...changed };
  const parsed = input.safeParse(merged);
  if (!parsed.success)
    refuse(task, `cannot have this input: ${inputProblems(parsed.error).join('; ')}`, 'Mend `--input`.');
  return merged;
}

function refuse({ run, path, spec }: StepTask, what: string, hint: string): never {
  throw new RepairRefused(`Step \`${spec.name}\` ${what}.`, { run, step: path, hint });
}

async function record(
  { catalog, projector }: StepEnvironment,
  { task, repair, accepted, at }: RecordRepair,
): Promise<void> {
  const { run, path, spec } = task;
  const [last] = (await catalog.attempts(run, path)).toReversed();
  const row = { ...stepRow({ run, path }, 'step', spec.name), repair: repairRecord(repair, at) };
  projector.add({
    steps: [{ ...row, ...stateAfter(task, accepted, at) }],
    ...(accepted.do === 'result' && { artifacts: artifactEdges(task, accepted.output) }),
    timeline: [
      {
        run,
        path,
        at,
        attempt: last?.attempt ?? 0,
        kind: 'repaired',
        text: sentenceOf(repair),
        data: { ...row.repair },
      },
    ],
  });
  await projector.flush();
}

function stateAfter(
  { input }: StepTask,
  accepted: AcceptedRepair,
  at: string,
): Pick<StepRecord, 'status' | 'detail' | 'input' | 'output' | 'closedAt'> {
  switch (accepted.do) {
    case 'retry':
      return { status: 'queued', detail: 'repaired', input: accepted.input };
    case 'result':
      return { status: 'completed', detail: '', input, output: accepted.output, closedAt: at };
    case 'abort':
      return { status: 'failed', detail: '', closedAt: at };
  }
}

function repairRecord(repair: Repair, at: string): RepairRecord {
  const { do: action, by, reason } = repair;
  const base = { do: action, by, at, ...(reason !== undefined && { reason }) };
  if (repair.do !== 'retry') return base;
  const { memory, image, source, input } = repair;
  return {
    ...base,
    ...(memory !== undefined && { memory }),
    ...(image !== undefined && { image }),
    ...(source && { source: source.digest }),
    ...(input && { input: Object.keys(input) }),
  };
}

function sentenceOf({ do: action, by, reason, ...rest }: Repair): string {
  const words = {
    retry: 'has it tried again',
    supply: 'supplied its output',
    skip: 'left it out',
    abort: 'ended it',
  };
  const changed = ['memory', 'image', 'source', 'input'].filter((name) => name in rest);
  const other = changed.length > 0 ? ` with other ${changed.join(', ')}` : '';
  return `${by} ${words[action]}${other}${reason === undefined ? '' : `: ${reason}`}`;
}
