import { ApplicationFailure, condition, setHandler, defineUpdate } from '@temporalio/workflow';
import type { ApprovalDecision } from '../sdk/approval.js';
import type { MillraceError } from '../sdk/errors.js';
import { DecisionRefused, UnknownGate } from '../sdk/errors.js';
import type { Decide } from '../sdk/protocol/messages.js';
import { toFailureInfo } from '../sdk/protocol/failure.js';
import { updates } from '../sdk/protocol/names.js';

type OpenGate = { decided: ApprovalDecision | undefined };

export type OpenGates = {
  /** Waits for the decision; undefined when `withinMs` passed first. */
  wait(gate: string, withinMs: number | undefined): Promise<ApprovalDecision | undefined>;
};

/** The gates of a run that wait for people, and the update that answers them. Refusals leave no trace in the history. */
export function openGates(run: string): OpenGates {
  const open = new Map<string, OpenGate>();
  setHandler(
    defineUpdate<void, [Decide]>(updates.decide),
    ({ gate, decision, by, reason }) => {
      const entry = open.get(gate);
      if (entry)
        entry.decided = {
          gate,
          decision,
          by,
          at: new Date().toISOString(),
          ...(reason !== undefined && { reason }),
        };
    },
    { validator: (answer) => refuseWrong(run, open, answer) },
  );
  return {
    async wait(gate, withinMs) {
      const entry: OpenGate = { decided: undefined };
      open.set(gate, entry);
      try {
        const isDecided = () => entry.decided !== undefined;
        await (withinMs === undefined ? condition(isDecided) : condition(isDecided, withinMs));
        return entry.decided;
      } finally {
        open.delete(gate);
      }
    },
  };
}

function refuseWrong(
  run: string,
  open: ReadonlyMap<string, OpenGate>,
  { gate, decision, by, reason }: Decide,
): void {
  const entry = open.get(gate);
  if (!entry) {
    const names = [...open.keys()].join(', ') || 'none';
    refuse(
      new UnknownGate(`No gate \`${gate}\` waits for a decision.`, {
        run,
        hint: `Gates that wait: ${names}.`,
      }),
    );
  } else if (entry.decided) {
    refuse(
      new DecisionRefused(
        `Gate \`${gate}\` is decided already: ${entry.decided.decision} by ${entry.decided.by}.`,
        { run },
      ),
    );
  } else if (!by) {
    refuse(
      new DecisionRefused(`The decision on \`${gate}\` names nobody.`, { run, hint: 'Say who decides.' }),
    );
  } else if (decision === 'rejected' && !reason?.trim()) {
    refuse(
      new DecisionRefused(`A rejection of \`${gate}\` needs a reason.`, { run, hint: 'Give --reason.' }),
    );
  }
}

function refuse(error: MillraceError): never {
  throw ApplicationFailure.create({
    message: error.message,
    type: error.code,
    nonRetryable: true,
    details: [toFailureInfo(error)],
  });
}
