import type { Logger } from 'pino';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { Catalog } from '../store/catalog.js';
import type { Admission } from './admission.js';
import type { PlacedContent } from './placed-content.js';
import type { Executor, ImageResolver, InterpreterResolver } from './executors/executor.js';
import type { Projector } from './projector.js';
import type { SecretSource } from './secrets.js';
import type { StatePaths } from '../config/state-paths.js';

/** What activities of one worker host work with. */
export type StepEnvironment = {
  readonly installation: string;
  /** Id of the Temporal namespace this host works for. */
  readonly service: string | undefined;
  /** Name of this worker for people: host and process. */
  readonly worker: string;
  readonly paths: StatePaths;
  readonly store: ArtifactStore;
  readonly catalog: Catalog;
  readonly projector: Projector;
  readonly placed: PlacedContent;
  readonly admission: Admission;
  readonly secrets: SecretSource;
  readonly docker: Executor & ImageResolver;
  readonly process: Executor & InterpreterResolver;
  /** Aborts when the worker takes no more work. */
  readonly draining: AbortSignal;
  /** What becomes of containers then. */
  readonly onStop: 'hand-over' | 'stop';
  /** `auto`: docker where it can, else process. */
  readonly executor: 'auto' | 'docker' | 'process';
  readonly logger: Logger;
};
