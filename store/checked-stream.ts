import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import type { Digest } from '../sdk/artifact.js';

/**
 * The bytes of `source`, hashed on their way; where they are not what `digest` says, the stream fails at its end with what
 * `wrong` makes.
 */
export function checkedStream(source: Readable, digest: Digest, wrong: () => Promise<Error>): Readable {
  const hash = createHash('sha256');
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      if (`sha256:${hash.digest('hex')}` === digest) done();
      else wrong().then(done, done);
    },
  });
  // Not pipeline(): its promise would need a reader of its own; this passes a failure of either side to the other.
  source.on('error', (error) => check.destroy(error));
  check.on('close', () => source.destroy());
  return source.pipe(check);
}
