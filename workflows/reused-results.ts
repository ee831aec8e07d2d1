import type { ApprovalDecision } from '../sdk/approval.js';
import type { RecordReused, RecoverRequest, StepPlace } from '../sdk/protocol/messages.js';
import type { MadeCall } from '../sdk/recovery/decide-reuse.js';
import { decideReuse, isEffect, isNamed, namedBelow } from '../sdk/recovery/decide-reuse.js';
import { createMarks } from '../sdk/recovery/marks.js';
import { recordIndex } from '../sdk/recovery/record-index.js';
import { reasonText } from '../sdk/recovery/reason-text.js';
import type { LargeCall, RecordedRun } from '../sdk/recovery/recorded-run.js';
import type { ModelVersion } from '../sdk/registry.js';

/** What is asked of the world about the run that is recovered. */
export type RecordedResults = {
  read(): Promise<RecordedRun>;
  readLarge(path: string): Promise<LargeCall | undefined>;
  /** Writes the rows of calls that took a result, and why others did not. */
  record(decided: Decided): Promise<void>;
};
type Decided = Pick<RecordReused, 'steps' | 'anew'>;

/** A result of the run that this one recovers. */
export type Taken = { readonly value: unknown; readonly maker: StepPlace };

/** The results of an earlier run, given to the same calls of this one. */
export interface ReusedResults {
  /** The recorded result of a call, if it is that very call's; undefined where it has to be made anew. */
  take(call: MadeCall & { readonly scheduledAt: string }): Promise<Taken | undefined>;
  /** Says what a call gave that was made anew. */
  made(path: string, output: unknown): void;
  /** What a child run may take; undefined where all of it is made anew. */
  below(call: Pick<MadeCall, 'path' | 'name' | 'input'>): Promise<RecoverRequest | undefined>;
  /** Waits until all that was decided is written. */
  settled(): Promise<void>;
}

export function reusedResults(
  { from, marks: given }: Pick<RecoverRequest, 'from' | 'marks'>,
  results: RecordedResults,
): ReusedResults {
  /** Of what `--from` has made anew: whoever takes it is made anew too. */
  const marks = createMarks({ given });
  const anew = new Set<string>();
  let reading: Promise<ReturnType<typeof recordIndex>> | undefined;
  const index = () =>
    (reading ??= results.read().then((recorded) => recordIndex(recorded, (path) => results.readLarge(path))));

  let waiting: Decided[] = [];
  let writing: Promise<void> | undefined;
  /** One call writes what was decided at once: of 500 reused steps there are few. */
  async function write(): Promise<void> {
    // Whatever is decided in the same moment comes along.
    await Promise.resolve();
    while (waiting.length > 0) {
      const decided = waiting;
      waiting = [];
      await results.record({
        steps: decided.flatMap(({ steps }) => steps),
        anew: decided.flatMap(({ anew: others }) => others),
      });
    }
    writing = undefined;
  }
  function note(decided: Partial<Decided>): void {
    waiting.push({ steps: [], anew: [], ...decided });
    writing ??= write();
    writing.catch(() => undefined);
  }

  return {
    async take({ scheduledAt, ...made }) {
      const records = await index();
      const record = await records.match(made);
      const decision = decideReuse(made, {
        record,
        work: record && records.workOf(record),
        asked: isNamed(from, { path: record?.path ?? made.path, name: made.name }),
        follows: marks.in(made.input),
      });
      if ('reuse' in decision) {
        const { path: former, output: value, maker } = decision.reuse;
        note({ steps: [{ path: made.path, former, scheduledAt, maker, ...rowOf(made.kind, value) }] });
        return { value, maker };
      }
      note({ anew: [{ path: made.path, at: scheduledAt, why: reasonText(decision.run) }] });
      if (decision.run.kind === 'asked' || decision.run.kind === 'follows') anew.add(made.path);
      return undefined;
    },
    made(path, output) {
      if (anew.has(path)) marks.add(output, path);
    },
    async below(call) {
      const records = await index();
      const record = await records.match({ ...call, kind: 'pipeline' });
      const path = record?.path ?? call.path;
      if (isNamed(from, { path, name: call.name })) {
        anew.add(call.path);
        return undefined;
      }
      const inner = namedBelow(from, path);
      const inside = marks.of(call.input);
      if (inside.length > 0 || record?.child?.calls.some((each) => inner.includes(each))) anew.add(call.path);
      return record?.child && { run: record.child.run, from: inner, marks: inside };
    },
    settled: async () => writing,
  };
}

/** What the row says of a result. That of an effect says it again: its own may have been lost with its run. */
function rowOf(
  kind: MadeCall['kind'],
  value: unknown,
): Pick<RecordReused['steps'][number], 'status' | 'output'> {
  const rejected = kind === 'approval' && (value as ApprovalDecision).decision === 'rejected';
  const status = rejected ? 'failed' : 'completed';
  if (!isEffect(kind)) return { status };
  if (kind !== 'register') return { status, output: value };
  // Of a version not the model itself.
  const { name, version } = value as ModelVersion;
  return { status, output: { name, version } };
}
