import path from 'node:path';
import { isMillraceError } from '../../sdk/errors.js';
import type { MillraceClient, RunHandle } from '../../client/client.js';
import { createClient } from '../../client/create-client.js';
import type { RunView } from '../../client/views.js';
import { isClosed } from '../../sdk/states.js';
import type { ApprovalRecord } from '../../store/catalog.js';
import { failureReport, formatErrorReport } from '../error-report.js';
import type { ExitCode } from '../exit-codes.js';
import { exitCodeOfRun, exitCodes } from '../exit-codes.js';
import { findRun } from '../find-run.js';
import { followRun } from '../follow-run.js';
import { listenForInterrupt } from '../interrupt.js';
import type { Output } from '../output.js';
import { approvalRows } from '../render/evidence.js';
import { sayRows } from '../say-rows.js';
import { UsageError } from '../usage-error.js';
import { fileLogger } from '../worker-logger.js';
import { openWorkerSession } from '../worker-session.js';
import type { Answer } from './ask-decision.js';
import { askDecision } from './ask-decision.js';
import { demoConfig, demoFolder, demoQueue } from './demo-config.js';
import { demoSummary } from './demo-summary.js';
import { demoPlaces } from './places.js';
import { saySummary } from './say-summary.js';

export type DemoOptions = {
  /** The answer to the approval, given ahead. */
  readonly answer: Answer | undefined;
  /** A demo run to go on with. Default: a new one. */
  readonly resume: string | undefined;
  /** When the command started, ms. */
  readonly since: number;
  readonly output: Output;
};

/** Runs the example from its data to a champion, with all it takes in this process. */
export async function runDemo({ answer, resume, since, output }: DemoOptions): Promise<ExitCode> {
  const config = await demoConfig();
  const progress = (sentence: string) => output.note(output.colors.dim(sentence));
  using interrupt = listenForInterrupt();
  const { signal } = interrupt;
  const { logger, file: workerLog } = await fileLogger(config, { echo: false });
  await using session = await openWorkerSession({ config, logger, onProgress: progress, signal });
  await using client = await createClient({ config, address: session.service.address });

  const handle = resume === undefined ? await startRun(client) : await demoRun(resume, client);
  const view = await Promise.race([
    followWithDecisions(handle, { answer, output, signal }),
    brokenWorker(session.host.stopped),
  ]);
  if (signal.aborted) progress('Stopping; Ctrl-C again ends at once.');
  const places = await demoPlaces(view, { config, client, workerLog });
  // Of a run that was gone on with, all its time counts.
  const from = resume === undefined ? since : Date.parse(view.run.startedAt);
  const summary = demoSummary(view, { places, since: from });
  if (view.run.failure) output.note(formatErrorReport(failureReport(view.run.failure), output.colors));
  saySummary(summary, output);
  output.answer(summary);
  if (isClosed(view.run.status)) return exitCodeOfRun(view.run.status);
  return signal.aborted ? exitCodes.interrupted : exitCodes.waiting;
}

async function startRun(client: MillraceClient): Promise<RunHandle> {
  const csv = await client.upload(path.join(demoFolder(), 'hmda.csv'), { kind: 'dataset' });
  return client.start('mortgage', { csv });
}

/** @throws UsageError for a run that this demo's worker does not serve */
async function demoRun(text: string, client: MillraceClient): Promise<RunHandle> {
  const handle = await findRun(text, client);
  const { run } = await handle.view();
  if (run.queue === demoQueue) return handle;
  throw new UsageError(`${run.id} is no run of the demo.`, {
    hint: 'See `millrace runs --pipeline mortgage`.',
  });
}

type Following = {
  readonly answer: Answer | undefined;
  readonly output: Output;
  readonly signal: AbortSignal;
};

/** @returns the view of a closed run, or of one that goes on without an answer */
async function followWithDecisions(handle: RunHandle, options: Following): Promise<RunView> {
  const { answer, output, signal } = options;
  const answered = new Set<string>();
  const openApproval = ({ approvals }: RunView): ApprovalRecord | undefined =>
    approvals.find(({ gate, status }) => status === 'open' && !answered.has(gate));
  let former: RunView | undefined;
  for (;;) {
    const view = await followRun(handle, {
      output,
      signal,
      former,
      until: (current) => openApproval(current) !== undefined,
    });
    former = view;
    const approval = openApproval(view);
    if (!approval || signal.aborted) return view;
    output.say('');
    sayRows(approvalRows(approval, view), output);
    output.say('');
    const given = answer ?? (output.interactive ? await askDecision(approval.gate, output) : undefined);
    if (!given) return view;
    try {
      await handle.decide(approval.gate, given);
    } catch (error) {
      // Somebody else was quicker: what they decided counts, and the run is followed on.
      if (!isMillraceError(error) || !['UNKNOWN_GATE', 'DECISION_REFUSED'].includes(error.code)) throw error;
      output.note(`The gate was decided elsewhere meanwhile: ${error.message}`);
    }
    answered.add(approval.gate);
  }
}

/** Nothing would move any more without a worker: its error ends the demo. */
const brokenWorker = async (stopped: Promise<void>): Promise<never> => {
  await stopped;
  return new Promise<never>(() => undefined);
};
