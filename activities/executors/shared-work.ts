import type { WorkOptions } from './executor.js';

/** Does each piece of work once for all who ask while it goes on. It is aborted only when all of them have left. */
export type SharedWork<T> = (key: string, work: Work<T>, options: WorkOptions) => Promise<T>;
export type Work<T> = (options: Required<WorkOptions>) => Promise<T>;

type Going<T> = {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  readonly listeners: Set<WorkOptions>;
};

export function createSharedWork<T>(): SharedWork<T> {
  const going = new Map<string, Going<T>>();
  return async (key, work, options) => {
    options.signal.throwIfAborted();
    const entry = going.get(key) ?? begin(going, key, work);
    entry.listeners.add(options);
    let leave: (() => void) | undefined;
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(options.signal.reason as Error);
      options.signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([entry.result, left]);
    } finally {
      if (leave) options.signal.removeEventListener('abort', leave);
      entry.listeners.delete(options);
      if (entry.listeners.size === 0 && going.get(key) === entry) {
        going.delete(key);
        entry.controller.abort(options.signal.reason);
      }
    }
  };
}

function begin<T>(going: Map<string, Going<T>>, key: string, work: Work<T>): Going<T> {
  const controller = new AbortController();
  const listeners = new Set<WorkOptions>();
  const onDetail = (detail: string) => {
    for (const listener of listeners) listener.onDetail?.(detail);
  };
  // Not at once: who asks first is to hear its first words too.
  const result = Promise.resolve().then(() => work({ signal: controller.signal, onDetail }));
  const entry: Going<T> = { result, controller, listeners };
  going.set(key, entry);
  const forget = () => {
    if (going.get(key) === entry) going.delete(key);
  };
  result.then(forget, forget);
  return entry;
}
