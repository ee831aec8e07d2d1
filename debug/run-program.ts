import path from 'node:path';
import { tailEvents } from '../activities/event-tail.js';
import type { Execution, ExecutionEnd } from '../activities/executors/executor.js';
import { maskedEvent, secretMask } from '../activities/mask-secrets.js';
import { removeTree } from '../activities/remove-tree.js';
import { messageLines } from '../activities/message-lines.js';
import { checkedOutput, digestsOf, readValues, storeArtifacts } from '../activities/step-outputs.js';
import type { ArtifactRef } from '../sdk/artifact.js';
import { isArtifactRef } from '../sdk/artifact.js';
import { formatBytes } from '../sdk/bytes.js';
import { isMillraceError } from '../sdk/errors.js';
import { sentence } from '../sdk/sentence.js';
import type { StepEvent } from '../sdk/step-contract.js';
import { contract } from '../sdk/step-contract.js';
import type { StepSpec } from '../sdk/step-spec.js';
import { canonicalDigest } from '../store/canonical-digest.js';
import { openArtifactStore } from '../store/open-artifact-store.js';
import type { DebugEnvironment } from './debug-environment.js';
import type { ProgramLine } from './follow-lines.js';
import { followLines, programLine } from './follow-lines.js';
import type { LaidOut } from './lay-out-session.js';

/** How a program that was run here ended, and what it made. */
export type ProgramResult = Pick<
  ExecutionEnd,
  'reason' | 'exitCode' | 'durationMs' | 'cpuSeconds' | 'peakMemoryBytes'
> & {
  /** Whether an attempt that ended so would have completed. */
  readonly succeeded: boolean;
  /** One sentence, where it would not have. */
  readonly problem: string | undefined;
  readonly outputs: readonly ProgramOutput[];
  readonly metrics: readonly { readonly name: string; readonly value: number; readonly index?: number }[];
};

export type ProgramOutput = {
  readonly field: string;
  /** Of an artifact its digest, type and size are what a store would say. */
  readonly value: unknown;
  /** Whether the run recorded the same; undefined where it recorded none. */
  readonly same: boolean | undefined;
};

export type ProgramOptions = {
  readonly executor: 'docker' | 'process';
  /** What the run recorded as the step's output. */
  readonly recorded: unknown;
  /** Folder of a store that is made to name what comes out by its digest, and removed. */
  readonly artifacts: string;
  readonly onLine: (line: ProgramLine) => void;
  /** What it says of itself, masked as all of it is. */
  readonly onEvent?: (event: StepEvent) => void;
  readonly signal: AbortSignal;
  readonly env: DebugEnvironment;
};

/** Runs the step's own command as an attempt would, and tells of nothing but to the caller. */
export async function runProgram(
  { execution, definition, input }: Pick<LaidOut, 'execution' | 'definition' | 'input'>,
  options: ProgramOptions,
): Promise<ProgramResult> {
  const { end, events } = await execute(execution, options);
  const failure = events.findLast((event) => event.type === 'failure');
  const metrics = events.flatMap((event) => (event.type === 'metric' ? [metricOf(event)] : []));
  const { reason, exitCode, durationMs, cpuSeconds, peakMemoryBytes } = end;
  const known = { reason, exitCode, durationMs, cpuSeconds, peakMemoryBytes, metrics };
  let problem = endProblem(end, execution.spec, failure?.message);
  let output: Readonly<Record<string, unknown>> = {};
  try {
    const { spec, folder } = execution;
    const store = await openArtifactStore(`file:${options.artifacts}`);
    const values = await readValues({ spec, output: definition.output }, folder);
    output = values;
    const given = digestsOf(input);
    const all = { spec, folder, values, store, signal: options.signal, given };
    // Also of a program that failed: what it made until then.
    const made = problem === undefined ? all : { ...all, spec: withOptionalOutputs(spec) };
    output = { ...values, ...(await storeArtifacts(made)) };
    if (problem === undefined) output = checkedOutput(definition, output, given);
  } catch (error) {
    options.signal.throwIfAborted();
    if (!isMillraceError(error)) throw error;
    problem ??= error.what;
  } finally {
    await removeTree(options.artifacts);
  }
  return {
    ...known,
    succeeded: problem === undefined,
    problem,
    outputs: Object.entries(output).map(([field, value]) => ({
      field,
      value,
      same: sameAs(value, (options.recorded as Record<string, unknown> | undefined)?.[field]),
    })),
  };
}

async function execute(
  execution: Execution,
  { executor: kind, onLine, onEvent, signal, env }: ProgramOptions,
): Promise<{ readonly end: ExecutionEnd; readonly events: readonly StepEvent[] }> {
  const executor = kind === 'docker' ? env.docker : env.process;
  const mask = await secretMask(execution.spec.secrets, env.secrets);
  const events: StepEvent[] = [];
  const tail = tailEvents(path.join(execution.folder, contract.events), {
    onEvent(said) {
      const event = maskedEvent(said, mask);
      events.push(event);
      onEvent?.(event);
      if (event.type === 'message') messageLines(event).map(programLine).forEach(onLine);
    },
    onGarbage: (line) => onLine(note(`millrace: a line of the events file is no event: ${mask(line)}`)),
  });
  const lines = followLines(execution.log, onLine);
  try {
    const end = await executor.execute(execution, {
      signal,
      onDetail: (detail) => {
        if (detail) onLine(note(`millrace: ${detail}`));
      },
    });
    signal.throwIfAborted();
    return { end, events };
  } finally {
    await executor.release(execution);
    await lines[Symbol.asyncDispose]();
    await tail[Symbol.asyncDispose]();
  }
}

const note = (text: string): ProgramLine => ({ at: new Date().toISOString(), stream: 'err', text });

const metricOf = ({ name, value, index }: Extract<StepEvent, { type: 'metric' }>) => ({
  name,
  value,
  ...(index !== undefined && { index }),
});

/** One sentence; undefined for a program that ended well. */
function endProblem(
  { reason, exitCode }: ExecutionEnd,
  { resources, timeoutMs }: StepSpec,
  said: string | undefined,
): string | undefined {
  if (reason === 'exited') {
    if (exitCode === 0) return undefined;
    return `It ended with exit code ${exitCode}${said === undefined ? '.' : `: ${sentence(said)}`}`;
  }
  const limits: Readonly<Record<string, string>> = {
    'out-of-memory': `It needed more than its ${formatBytes(resources.memory)} of memory.`,
    'disk-limit': `It wrote more than its ${formatBytes(resources.disk)} of disk.`,
    timeout: `It ran longer than its limit of ${timeoutMs} ms.`,
  };
  return limits[reason] ?? `It was ended from outside (${reason}).`;
}

const withOptionalOutputs = (spec: StepSpec): StepSpec => ({
  ...spec,
  artifacts: spec.artifacts.map((output) => ({ ...output, optional: true })),
});

/** Artifacts by content, all else by value. */
function sameAs(value: unknown, recorded: unknown): boolean | undefined {
  if (recorded === undefined) return undefined;
  if (isArtifactRef(value) && isArtifactRef(recorded)) return sameContent(value, recorded);
  return canonicalDigest(value) === canonicalDigest(recorded);
}

const sameContent = (a: ArtifactRef, b: ArtifactRef): boolean => a.digest === b.digest && a.type === b.type;
