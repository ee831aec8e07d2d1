import type { EngineMessage } from './engine-frames.js';
import type { LogEnds } from './log-ends.js';

/** `new`: comes next; `known`: has been here; `gap`: comes next, but what was between the log's end and it is not there any more. */
export type MessagePlace = 'new' | 'known' | 'gap';

/** Tells which messages of the engine's log come next, in the order they are given. */
export type MessageOrder = {
  place(message: EngineMessage): MessagePlace;
  /** The log is read anew: what follows begins at or before these ends. */
  again(from: LogEnds): void;
};

/**
 * While the engine changes to its next log file it may give the messages of that file twice (20.10), so those of late are
 * remembered. It is not enough to look at their times: a clock may be set back.
 */
export function messageOrder(): MessageOrder {
  let streams = { out: streamOrder(undefined), err: streamOrder(undefined) };
  return {
    place: (message) => streams[message.source](message),
    again(from) {
      streams = { out: streamOrder(from.out?.time), err: streamOrder(from.err?.time) };
    },
  };
}

type Seen = { readonly time: string; readonly length: number };

const remembered = 32_768;

function streamOrder(end: string | undefined): (message: EngineMessage) => MessagePlace {
  let sought = end;
  let wholeLine = true;
  const recent: Seen[] = [];
  let oldest = 0;
  /** Which of the recent ones is given again next. */
  let repeated: number | undefined;
  const at = (index: number): Seen | undefined => recent[(oldest + index) % recent.length];

  function isRepeated({ time, bytes }: EngineMessage): boolean {
    const is = (seen: Seen | undefined) => seen?.time === time && seen.length === bytes.length;
    if (repeated !== undefined && repeated < recent.length && is(at(repeated))) {
      repeated += 1;
      return true;
    }
    repeated = undefined;
    const last = at(recent.length - 1);
    // Parts of one line have the same time, and its messages may be alike.
    if (!wholeLine || last === undefined || time > last.time) return false;
    for (let index = 0; index < recent.length; index += 1) {
      if (!is(at(index))) continue;
      repeated = index + 1;
      return true;
    }
    return false;
  }

  function remember({ time, bytes }: EngineMessage): void {
    const seen = { time, length: bytes.length };
    if (recent.length < remembered) recent.push(seen);
    else {
      recent[oldest] = seen;
      oldest = (oldest + 1) % remembered;
    }
    wholeLine = bytes.at(-1) === lineFeed;
  }

  return (message) => {
    let place: MessagePlace = 'new';
    if (sought !== undefined) {
      if (message.time < sought) return 'known';
      if (message.time > sought) place = 'gap';
      sought = undefined;
    }
    if (isRepeated(message)) return 'known';
    remember(message);
    return place;
  };
}

const lineFeed = 0x0a;
