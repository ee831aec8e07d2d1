import type { Digest } from '../sdk/artifact.js';
import { digestPattern } from '../sdk/artifact.js';
import { UnknownArtifact } from '../sdk/errors.js';
import type { ClientParts } from './client-parts.js';

/** A beginning that fits several is named with so many of them. */
const shown = 5;

/** The digest a person means: whole, or a beginning of it that no other has. @throws UnknownArtifact */
export async function resolveDigest(
  text: string,
  { catalog, store }: Pick<ClientParts, 'catalog' | 'store'>,
): Promise<Digest> {
  const start = `sha256:${text.replace(/^sha256:/, '').toLowerCase()}`;
  if (!/^sha256:[0-9a-f]{1,64}$/.test(start)) {
    throw new UnknownArtifact(`${JSON.stringify(text)} is no digest and no beginning of one.`, {
      hint: 'Give hexadecimal digits, as `millrace artifacts ls` shows them.',
    });
  }
  if (digestPattern.test(start)) return start as Digest;
  const named = await catalog.contents.beginning(start, shown + 1);
  const found = named.length > 0 ? named : await blobsBeginning(start, store);
  const [digest, ...others] = found;
  if (digest === undefined)
    throw new UnknownArtifact(`No content begins with ${start}.`, { hint: 'See `millrace artifacts ls`.' });
  if (others.length === 0) return digest;
  throw new UnknownArtifact(`Several begin with ${start}.`, {
    hint: `Give more digits: ${found.slice(0, shown).join(', ')}${found.length > shown ? ', …' : ''}.`,
    fields: { digests: found.slice(0, shown) },
  });
}

/** What no row names (an upload that no run used) only the store knows. */
async function blobsBeginning(start: string, store: ClientParts['store']): Promise<readonly Digest[]> {
  const found: Digest[] = [];
  for await (const { digest } of store.blobs()) {
    if (digest.startsWith(start)) found.push(digest);
    if (found.length > shown) break;
  }
  return found.sort();
}
