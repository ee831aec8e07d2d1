export type Release = () => unknown;

/** Undo of what was acquired, called in reverse order. (Node 20 has no AsyncDisposableStack.) */
export interface Releasers {
  /** Takes the undo of something and hands the thing on. */
  use<T extends AsyncDisposable>(resource: T): T;
  defer(release: Release): void;
  /** Calls every undo once, the newest first; the first error is thrown after all were called. */
  release(): Promise<void>;
}

export function createReleasers(): Releasers {
  const stack: Release[] = [];
  return {
    use(resource) {
      stack.push(() => resource[Symbol.asyncDispose]());
      return resource;
    },
    defer(release) {
      stack.push(release);
    },
    async release() {
      const errors: unknown[] = [];
      for (let next = stack.pop(); next; next = stack.pop()) {
        try {
          await next();
        } catch (error) {
          errors.push(error);
        }
      }
      if (errors.length > 0) throw errors[0];
    },
  };
}
