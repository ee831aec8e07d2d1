import { buffer } from 'node:stream/consumers';
import type { Payload, StorageDriver, StorageDriverTargetInfo } from '@temporalio/common';
import { ExternalStorage, StorageDriverClaim } from '@temporalio/common';
import type { Digest } from '../sdk/artifact.js';
import { digestPattern } from '../sdk/artifact.js';
import { inlineValue } from '../sdk/check-size.js';
import { ArtifactCorrupt } from '../sdk/errors.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { Catalog } from '../store/catalog.js';
import { inlineBudget } from './inline-budget.js';

export type ValueStorageOptions = {
  readonly store: Pick<ArtifactStore, 'putBytes' | 'read'>;
  readonly catalog: { readonly garbage: Pick<Catalog['garbage'], 'hold'> };
  /** What is thrown where a value cannot be had. Default: the error itself. */
  readonly failure?: (error: unknown) => unknown;
};

/** Below this no payload is worth a file, however full the message is. */
const smallestStored = 1024;
const mostRemembered = 10_000;

/**
 * Keeps large values out of Temporal's history: a payload from 128 KiB on goes to the artifact store, and its digest travels in
 * its place, by Temporal's own external storage. Small ones pass untouched.
 */
export function valueStorage({
  store,
  catalog,
  failure = (error) => error,
}: ValueStorageOptions): ExternalStorage {
  const budget = inlineBudget();
  const held = new Set<string>();

  async function keep(payload: Payload, target: StorageDriverTargetInfo | undefined) {
    const { digest, size } = await store.putBytes(payload.data ?? new Uint8Array());
    const run = target?.id ?? '';
    const key = `${run} ${digest}`;
    // Before the digest leaves this process: garbage collection keeps what an open run holds.
    if (!held.has(key)) {
      await catalog.garbage.hold([{ run, digest, size, type: 'file', at: new Date().toISOString() }]);
      if (held.size >= mostRemembered) held.clear();
      held.add(key);
    }
    return new StorageDriverClaim({ digest, metadata: encodeMetadata(payload) });
  }

  async function fetch({ claimData }: StorageDriverClaim, signal: AbortSignal | undefined): Promise<Payload> {
    const { digest, metadata } = readClaim(claimData);
    const data = await buffer(await store.read(digest, signal ? { signal } : {}));
    return { metadata: decodeMetadata(metadata), data };
  }

  const driver: StorageDriver = {
    // Both are in histories: never to change.
    name: 'millrace',
    type: 'millrace.artifacts/1',
    store: ({ target }, payloads) => inTurn(payloads, (payload) => keep(payload, target)).catch(rethrow),
    retrieve: ({ abortSignal }, claims) =>
      inTurn(claims, (claim) => fetch(claim, abortSignal)).catch(rethrow),
  };
  const rethrow = (error: unknown): never => {
    throw failure(error);
  };

  return new ExternalStorage({
    drivers: [driver],
    payloadSizeThreshold: smallestStored,
    driverSelector({ target }, { data }) {
      const size = data?.length ?? 0;
      if (size >= inlineValue) return driver;
      return budget.fits(target?.id ?? '', size) ? null : driver;
    },
  });
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

type Claim = { readonly digest: Digest; readonly metadata: string };

function readClaim({ digest = '', metadata = '{}' }: Readonly<Record<string, string>>): Claim {
  if (digestPattern.test(digest)) return { digest: digest as Digest, metadata };
  throw new ArtifactCorrupt(`A value of this run names no content: ${JSON.stringify(digest)}.`, {
    hint: 'Another program wrote it; start the run again.',
  });
}

const encodeMetadata = ({ metadata }: Payload): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
    ),
  );

const decodeMetadata = (text: string): NonNullable<Payload['metadata']> =>
  Object.fromEntries(
    Object.entries(JSON.parse(text) as Record<string, string>).map(([name, value]) => [
      name,
      new Uint8Array(Buffer.from(value, 'base64')),
    ]),
  );
