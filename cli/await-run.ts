import type { RunHandle } from '../client/client.js';
import type { RunView } from '../client/views.js';
import { isStoredValue } from '../sdk/stored-value.js';
import type { ExitCode } from './exit-codes.js';
import { exitCodeOfRun, exitCodes } from './exit-codes.js';
import { listenForInterrupt } from './interrupt.js';
import type { Output } from './output.js';

export type AwaitOptions = {
  readonly output: Output;
  /** Waits for the end. */
  readonly wait?: boolean;
  /** Waits for the end, and shows the steps meanwhile. */
  readonly watch?: boolean;
  /** What the answer says beside the run. */
  readonly also?: Readonly<Record<string, unknown>>;
};

/** Says which run has started; where that is asked, waits for its end and prints its result. */
export async function awaitRun(
  handle: RunHandle,
  { output, also = {}, ...options }: AwaitOptions,
): Promise<ExitCode> {
  if (options.wait !== true && options.watch !== true) {
    output.say(handle.id);
    output.note(output.colors.dim(`Follow it: millrace show ${handle.id} --watch`));
    output.answer({ run: handle.id, ...also });
    return exitCodes.ok;
  }
  using interrupt = listenForInterrupt();
  const { signal } = interrupt;
  const view = options.watch === true ? await watch(handle, output, signal) : await wait(handle, signal);
  if (signal.aborted) {
    output.note(
      `The run goes on: millrace show ${handle.id} --watch. To stop it: millrace cancel ${handle.id}`,
    );
    output.answer({ run: handle.id, status: 'running', ...also });
    return exitCodes.interrupted;
  }
  const { run } = view;
  const { warning } = run.plan ?? {};
  // Without a live tree the events have said it already.
  if (warning !== undefined && (options.watch !== true || output.terminal))
    output.note(`${output.colors.yellow('warning')}: ${warning}`);
  if (run.failure) {
    const { failureReport, formatErrorReport } = await import('./error-report.js');
    output.note(formatErrorReport(failureReport(run.failure), output.colors));
  }
  const result = isStoredValue(run.output) ? await handle.result() : run.output;
  if (run.status === 'completed') {
    const { resultText } = await import('./render/run-report.js');
    if (run.output !== undefined && run.output !== null)
      output.say(resultText(output.terminal ? run.output : result));
  }
  output.answer({
    run: run.id,
    status: run.status,
    ...(result !== undefined && { output: result }),
    ...(run.failure && { error: run.failure }),
    ...(warning !== undefined && { warning }),
    ...also,
  });
  return exitCodeOfRun(run.status);
}

async function watch(handle: RunHandle, output: Output, signal: AbortSignal): Promise<RunView> {
  const { followRun } = await import('./follow-run.js');
  return followRun(handle, { output, signal });
}

/** The service answers the moment the run ends: nothing is asked again and again. */
async function wait(handle: RunHandle, signal: AbortSignal): Promise<RunView> {
  const { isMillraceError } = await import('../sdk/errors.js');
  try {
    await handle.result({ signal });
  } catch (error) {
    if (!signal.aborted && !isMillraceError(error)) throw error;
    if (isMillraceError(error) && unanswered.has(error.code)) throw error;
  }
  return handle.view();
}

/** Errors of the asking, not of the run. */
const unanswered: ReadonlySet<string> = new Set(['TEMPORAL_UNAVAILABLE', 'UNKNOWN_RUN']);
