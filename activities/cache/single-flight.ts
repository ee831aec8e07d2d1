import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Digest } from '../../sdk/artifact.js';
import type { CacheEntry, CacheIndex, Lease } from '../../store/cache-index.js';

/** The holder renews this often. */
const renewMs = 5_000;
/**
 * A lease that was not renewed for so long is taken over. Longer than Temporal needs to see that a worker is silent (20 s) and
 * to give the step to another, which goes on with the lease as its own.
 */
const leaseMs = 60_000;
/** A lease that nobody has touched for so long needs no watching, unless clocks are hours apart. */
const ancientMs = 3_600_000;
const lookMs = 250;

export type FlightOptions = {
  readonly cache: CacheIndex;
  readonly key: Digest;
  readonly run: string;
  readonly path: string;
  readonly attempt: number;
  readonly signal: AbortSignal;
  /** Called with who computes the same, when that has to be waited for: once for each who does. */
  readonly onWait: (holder: Lease) => void;
  /** Looked for while another computes: its result, as soon as it may be taken. */
  readonly arrived: () => Promise<CacheEntry | undefined>;
  /** Called when a lease cannot be renewed just now. */
  readonly onTrouble: (error: unknown) => void;
  readonly times?: { readonly renewMs: number; readonly leaseMs: number; readonly lookMs: number };
};

/** The right to compute a key. */
export interface Flight extends AsyncDisposable {
  /** Keeps the result for others. @returns false when the lease was taken over: nothing is kept then */
  commit(entry: CacheEntry): Promise<boolean>;
}

/**
 * Of all who would compute a key at the same time, wherever they are, one gets to; the others wait for its result, and take
 * over when it gives up or falls silent.
 */
export async function singleFlight(
  options: FlightOptions,
): Promise<{ readonly flight: Flight } | { readonly entry: CacheEntry }> {
  const { cache, key, run, path, attempt, signal, onWait, arrived } = options;
  const times = options.times ?? { renewMs, leaseMs, lookMs };
  const token = randomUUID();
  let seen: { readonly lease: Lease; readonly since: number } | undefined;
  for (;;) {
    signal.throwIfAborted();
    const stands = seen && performance.now() - seen.since > times.leaseMs ? seen.lease : undefined;
    const answer = await cache.acquire({
      key, run, path, attempt, token,
      at: new Date().toISOString(),
      staleBefore: new Date(Date.now() - ancientMs).toISOString(),
      ...(stands && { abandoned: stands }),
    }); // prettier-ignore
    if (answer.held) {
      const flight = hold({ ...options, times, token });
      // Who held it before may have come to its end in this moment.
      try {
        const entry = await arrived();
        if (!entry) return { flight };
        await flight[Symbol.asyncDispose]();
        return { entry };
      } catch (error) {
        // A lease that went on being renewed would hold up every later run.
        await flight[Symbol.asyncDispose]();
        throw error;
      }
    }
    const { by } = answer;
    const other = by.token !== seen?.lease.token;
    if (other) onWait(by);
    if (other || by.beats !== seen?.lease.beats) seen = { lease: by, since: performance.now() };
    await pause(times.lookMs, undefined, { signal });
    const entry = await arrived();
    if (entry) return { entry };
  }
}

function hold({
  cache,
  key,
  token,
  times,
  onTrouble,
}: Pick<FlightOptions, 'cache' | 'key' | 'onTrouble'> & {
  readonly token: string;
  readonly times: { readonly renewMs: number };
}): Flight {
  const timer = setInterval(() => {
    cache
      .renew({ key, token, at: new Date().toISOString() })
      // Whoever took it over computes now; the result here is still this step's own.
      .then((held) => !held && clearInterval(timer))
      .catch(onTrouble);
  }, times.renewMs);
  let done = false;
  return {
    async commit(entry) {
      done = true;
      clearInterval(timer);
      return cache.commit(entry, token);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      if (!done) await cache.release({ key, token }).catch(onTrouble);
      done = true;
    },
  };
}
