import type { ArtifactRef } from '../../../sdk/artifact.js';
import type {
  ApprovalRecord,
  ArtifactRecord,
  AttemptRecord,
  BuildRecord,
  MetricRecord,
  RunRecord,
  StepRecord,
  VersionRecord,
} from '../../../store/catalog.js';

/** Records with all that must be there; tests say what matters to them. */
export const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
export const digest = (digit: string) => `sha256:${digit.repeat(64)}` as const;

export const aRef = (fields: Partial<ArtifactRef> = {}): ArtifactRef => ({
  $artifact: 'dataset',
  digest: digest('a'),
  type: 'file',
  size: 7,
  name: 'table.csv',
  ...fields,
});
export const aModel = (): ArtifactRef<'model'> => ({
  $artifact: 'model',
  digest: digest('b'),
  type: 'tree',
  size: 2 ** 40,
  name: 'model',
});
export const aBuild = (fields: Partial<BuildRecord> = {}): BuildRecord => ({
  id: 'build-1',
  queue: 'millrace',
  createdAt: at(0),
  workflowBundle: digest('1'),
  nodeBundle: digest('2'),
  pipelines: [{ name: 'mortgage', description: 'Scores applications.', steps: ['train'] }],
  steps: [],
  ...fields,
});
export const aRun = (fields: Partial<RunRecord> = {}): RunRecord => ({
  id: 'run-1',
  pipeline: 'mortgage',
  build: 'build-1',
  queue: 'millrace',
  status: 'running',
  input: { minAuc: 0.75 },
  tags: {},
  startedAt: at(0),
  ...fields,
});
export const aStep = (fields: Partial<StepRecord> = {}): StepRecord => ({
  run: 'run-1',
  path: 'train',
  name: 'train',
  kind: 'step',
  status: 'running',
  scheduledAt: at(1),
  ...fields,
});
export const anAttempt = (fields: Partial<AttemptRecord> = {}): AttemptRecord => ({
  run: 'run-1',
  path: 'train',
  attempt: 1,
  status: 'running',
  executor: 'docker',
  worker: 'worker-1',
  startedAt: at(2),
  ...fields,
});
export const aMetric = (fields: Partial<MetricRecord> = {}): MetricRecord => ({
  run: 'run-1',
  path: 'train',
  attempt: 1,
  name: 'loss',
  value: 0.5,
  at: at(3),
  ...fields,
});
export const anEdge = (fields: Partial<ArtifactRecord> = {}): ArtifactRecord => ({
  run: 'run-1',
  path: 'train',
  direction: 'output',
  field: 'model',
  artifact: aRef(),
  at: at(4),
  ...fields,
});
export const anApproval = (fields: Partial<ApprovalRecord> = {}): ApprovalRecord => ({
  run: 'run-1',
  path: 'release',
  gate: 'release',
  evidence: { auc: 0.82 },
  openedAt: at(5),
  status: 'open',
  ...fields,
});
export const aVersion = (
  fields: Partial<Omit<VersionRecord, 'version'>> = {},
): Omit<VersionRecord, 'version'> => ({
  name: 'mortgage',
  model: aModel(),
  run: 'run-1',
  path: 'register',
  metrics: { auc: 0.82 },
  evidence: null,
  createdAt: at(6),
  ...fields,
});
