import type { ArtifactRef } from './artifact.js';
import { currentRuntime } from './runtime.js';

export type RegisterOptions = {
  readonly model: ArtifactRef<'model'>;
  readonly metrics?: Readonly<Record<string, number>>;
  /** What speaks for the version: JSON with artifact references. */
  readonly evidence?: unknown;
};

/** An immutable version of a registered model. */
export type ModelVersion = {
  readonly name: string;
  /** 1 for the first of its name. */
  readonly version: number;
  readonly model: ArtifactRef<'model'>;
};

export type PromoteOptions = { /** Default `champion`. */ readonly alias?: string };

/** An alias as it now points, and the version it pointed to before. */
export type AliasChange = {
  readonly name: string;
  readonly alias: string;
  readonly version: number;
  readonly former?: number;
};

/**
 * Makes the next version of a registered model. Its idempotency key is (run, step path): a retry or recovery gives the
 * same version, a new run a new one, even for equal bytes.
 */
export const register = (name: string, options: RegisterOptions): Promise<ModelVersion> =>
  currentRuntime(`register \`${name}\``).register(name, options);

/** Points an alias at a version; the former one is kept in the alias's history. */
export const promote = (version: ModelVersion, options: PromoteOptions = {}): Promise<AliasChange> =>
  currentRuntime('promote').promote(version, options);
