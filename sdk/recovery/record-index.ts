import type { MadeCall } from './decide-reuse.js';
import { inputKey } from './input-key.js';
import type { LargeCall, RecordedCall, RecordedRun } from './recorded-run.js';
import type { StepWork } from './step-work.js';

/** Finds for the calls of a run what came of the same calls in the run that it recovers. */
export interface RecordIndex {
  /**
   * The former call that this one is: of the same kind, name and input. Of several one that has a result, if it can be the one of
   * its path: the order of parallel calls, and with it their paths, may be another than it was. Each former call is found by one
   * call only. Where none is equal: the one of its path, with another input.
   */
  match(call: MadeCall): Promise<RecordedCall | undefined>;
  /** Says that the call of a path is made, whatever its input. */
  claim(path: string): void;
  /** Former calls that no call was yet. */
  left(): readonly RecordedCall[];
  workOf(call: RecordedCall): StepWork | undefined;
}

/** @param readLarge reads what the record holds no input and output of; undefined when it cannot be had */
export function recordIndex(
  { calls, works }: RecordedRun,
  readLarge: (path: string) => Promise<LargeCall | undefined>,
): RecordIndex {
  const byPath = new Map(calls.map((call) => [call.path, call]));
  const byKey = new Map<string, RecordedCall[]>();
  const unread = new Map<string, RecordedCall[]>();
  for (const call of calls) {
    if (call.large) grouped(unread, groupOf(call)).push(call);
    else grouped(byKey, keyOf(call)).push(call);
  }
  const taken = new Set<string>();
  const named = new Set<string>();

  const reading = new Map<string, Promise<void>>();
  /** A large call comes to the others once something looks for its like: read once for all who look. */
  function read(call: RecordedCall): Promise<void> {
    const before = reading.get(call.path) ?? readWhole(call);
    reading.set(call.path, before);
    return before;
  }
  async function readWhole({ large: _large, ...call }: RecordedCall): Promise<void> {
    const values = await readLarge(call.path);
    const whole: RecordedCall = values
      ? { ...call, ...values }
      : { ...call, unusable: 'its record cannot be read any more' };
    byPath.set(call.path, whole);
    grouped(byKey, keyOf(whole)).push(whole);
  }

  return {
    async match(call) {
      const key = keyOf(call);
      const free = () => (byKey.get(key) ?? []).filter(({ path }) => !taken.has(path));
      const large = unread.get(groupOf(call)) ?? [];
      // That of its own path first: the others are read only where it is not the one.
      const own = (each: RecordedCall) => each.path === call.path;
      for (const each of [...large.filter(own), ...large.filter((other) => !own(other))]) {
        if (free().some((equal) => isUsable(equal) && (own(equal) || !own(each)))) break;
        await read(each);
      }
      const equal = free();
      const usable = equal.filter(isUsable);
      const candidates = usable.length > 0 ? usable : equal;
      const found = candidates.find(({ path }) => path === call.path) ?? candidates[0];
      if (found) {
        taken.add(found.path);
        return found;
      }
      const other = byPath.get(call.path);
      if (!other || taken.has(other.path) || groupOf(other) !== groupOf(call)) return undefined;
      named.add(other.path);
      return other;
    },
    claim: (path) => void taken.add(path),
    left: () => calls.filter(({ path }) => !taken.has(path) && !named.has(path)),
    workOf: ({ workName, name }) => works[workName ?? name],
  };
}

const isUsable = ({ outcome, gone, unusable }: RecordedCall): boolean =>
  outcome === 'completed' && gone === undefined && unusable === undefined;

type Described = Pick<MadeCall, 'path' | 'name' | 'kind'>;

/** Calls that can be one another at all. Gates and approvals are called as they are named; their rows may bear the whole path. */
function groupOf({ kind, name, path }: Described): string {
  if (kind === 'step' || kind === 'pipeline') return `${kind} ${name}`;
  return kind === 'approval' ? `${kind} ${path.replace(/#\d+$/, '')}` : kind;
}

const keyOf = (call: Described & { readonly input?: unknown }): string =>
  `${groupOf(call)} ${inputKey(call.input)}`;

function grouped<T>(groups: Map<string, T[]>, key: string): T[] {
  const group = groups.get(key) ?? [];
  groups.set(key, group);
  return group;
}
