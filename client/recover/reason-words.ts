import type { MadeCall, RunReason } from '../../sdk/recovery/decide-reuse.js';
import type { RecordedCall } from '../../sdk/recovery/recorded-run.js';
import { reasonText } from '../../sdk/recovery/reason-text.js';
import type { StepWork } from '../../sdk/recovery/step-work.js';
import type { ArtifactStore } from '../../store/artifact-store.js';
import { keyChanges } from '../key-changes.js';

export type Compared = {
  readonly made: MadeCall;
  readonly record: RecordedCall | undefined;
  readonly work: StepWork | undefined;
  readonly store: ArtifactStore;
};

/** Why a call is made anew, in words. */
export async function reasonWords(reason: RunReason, compared: Compared): Promise<string> {
  if (reason.kind === 'changed') return changeWords(reason.parts, compared);
  if (reason.kind === 'failed' && reason.parts) {
    const { parts, ...failed } = reason;
    return `${reasonText(failed)}; ${await changeWords(parts, compared)}`;
  }
  if (reason.kind !== 'input') return reasonText(reason);
  const { made, record, store } = compared;
  return said(await keyChanges({ input: record?.input }, { input: made.input }, store));
}

async function changeWords(parts: readonly string[], { made, work, store }: Compared): Promise<string> {
  const of = (facts: StepWork | undefined) => Object.fromEntries(parts.map((part) => partOf(part, facts)));
  return said(await keyChanges(of(work), of(made.work), store));
}

/** An image that is only known as it is written is shown so; code of whichever digest is the step's logic. */
function partOf(part: string, work: StepWork | undefined): readonly [string, unknown] {
  if (part === 'image') return [part, work?.image ?? work?.declared];
  if (part === 'code') return ['logic', work?.code];
  return [part, work?.[part as keyof StepWork]];
}

const most = 4;
function said(changes: readonly { readonly part: string; readonly says: string }[]): string {
  const words = changes.slice(0, most).map(({ part, says }) => `${part}: ${says}`);
  return [...words, ...(changes.length > most ? [`and ${changes.length - most} more`] : [])].join(', ');
}
