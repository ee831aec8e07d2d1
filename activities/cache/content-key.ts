import { mapArtifacts } from '../../sdk/artifact.js';
import type { Digest } from '../../sdk/artifact.js';
import type { StepTask } from '../../sdk/protocol/messages.js';
import { contractVersion } from '../../sdk/step-contract.js';
import type { KeyParts } from '../../store/cache-index.js';
import { canonicalDigest } from '../../store/canonical-digest.js';
import type { HostInterpreter } from '../executors/executor.js';

/** What the place where a step runs adds to its key. */
export type KeyFacts = {
  /** `linux-x64`. */
  readonly platform: string;
  /** Version of this package: its helpers run inside the step. */
  readonly helper: string;
  /** What runs a step that has no image. */
  readonly interpreter?: HostInterpreter;
};

/**
 * All that can change what a step gives, by name, as docs/cache.md lists it. Cpus, memory, timeouts, retries, names of files,
 * hosts and tags are no part of it.
 * @param input as the step's schema made it, defaults filled in
 */
export function keyParts(
  { spec, executor, image, pipeline, queue }: StepTask,
  input: unknown,
  { platform, helper, interpreter }: KeyFacts,
): KeyParts {
  const { cache } = spec;
  const shared = { catalog: 'catalog', queue: `queue ${queue}`, pipeline: `pipeline ${queue} ${pipeline}` };
  const parts = {
    step: spec.name,
    version: spec.version,
    cacheVersion: cache?.version,
    scope: shared[cache?.scope ?? 'catalog'],
    executor,
    platform,
    contract: contractVersion,
    helper,
    image: executor === 'docker' ? image?.id : undefined,
    interpreter: interpreter?.programs,
    packages: interpreter?.packages,
    source: spec.source?.digest,
    logic: spec.logic,
    command: spec.command,
    env: spec.env,
    secrets: spec.secrets,
    network: spec.network,
    gpus: spec.resources.gpus,
    input: mapArtifacts(input, ({ $artifact, digest, type }) => ({ $artifact, digest, type })),
  };
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
}

/** The content key: the digest of its parts in their canonical form. */
export const contentKey = (parts: KeyParts): Digest =>
  canonicalDigest({ format: 'millrace-key/1', ...parts });
