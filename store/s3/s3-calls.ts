import { setTimeout as sleep } from 'node:timers/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import type { StoreOptions } from '../artifact-store.js';
import { judgeS3Failure, notAnswering } from './s3-failure.js';

/** A service that is gone is waited for this long before the work that needs it fails, ms. */
export const defaultPatienceMs = 180_000;
const firstPauseMs = 100;
const longestPauseMs = 5_000;

type SendOptions = { readonly abortSignal?: AbortSignal };

/** Requests to one service, tried again until they are answered. */
export type S3Calls = {
  /**
   * Does one request, which `request` makes anew for each attempt: the body of one that failed may be used up.
   * @throws what `isNotFound`, `isPreconditionFailed`, `isBodyChanged` know, as it is; else an error of ours
   */
  readonly call: <T>(
    request: (client: S3Client, options: SendOptions) => Promise<T>,
    options?: StoreOptions,
  ) => Promise<T>;
  /** Does one request without trying again. */
  readonly once: <T>(request: (client: S3Client) => Promise<T>) => Promise<T>;
  readonly patience: (options?: StoreOptions) => Patience;
};

/** How long one piece of work goes on trying. */
export type Patience = {
  /** Waits before the next attempt. @throws an error of ours when there must be none; what is an answer, as it is */
  readonly failed: (error: unknown) => Promise<void>;
  /** It went on: the time begins anew. */
  readonly progressed: () => void;
};

export type S3CallsOptions = {
  readonly client: S3Client;
  /** Of the store, for people. */
  readonly location: string;
  readonly patienceMs?: number | undefined;
  readonly clock?: S3Clock;
};

/** What patience goes by. Default: the process's own. */
export type S3Clock = {
  readonly now: () => number;
  readonly pause: (ms: number, signal?: AbortSignal) => Promise<void>;
};

export function createS3Calls({
  client,
  location,
  patienceMs = defaultPatienceMs,
  clock = ownClock,
}: S3CallsOptions): S3Calls {
  const patience = ({ signal }: StoreOptions = {}): Patience => {
    let since: number | undefined;
    let pauseMs = firstPauseMs;
    return {
      progressed() {
        since = undefined;
        pauseMs = firstPauseMs;
      },
      async failed(error) {
        signal?.throwIfAborted();
        const failure = judgeS3Failure(error, location);
        if (failure.kind === 'answer') throw error;
        if (failure.kind === 'final') throw failure.error;
        since ??= clock.now();
        const waited = clock.now() - since;
        if (waited >= patienceMs) throw notAnswering(error, location, waited);
        // Many requests fail at once; they must not all come back at once.
        await clock.pause(pauseMs * (0.5 + Math.random() / 2), signal);
        signal?.throwIfAborted();
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      },
    };
  };
  return {
    patience,
    once: (request) => request(client),
    async call(request, { signal } = {}) {
      const options = signal ? { signal } : {};
      const tries = patience(options);
      for (;;) {
        signal?.throwIfAborted();
        try {
          return await request(client, signal ? { abortSignal: signal } : {});
        } catch (error) {
          await tries.failed(error);
        }
      }
    },
  };
}

const ownClock: S3Clock = {
  now: () => performance.now(),
  // Ends early, and quietly, when the signal is aborted.
  pause: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}).catch(() => {}),
};
