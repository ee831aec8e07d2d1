import type { ArtifactRef } from '../../../sdk/artifact.js';
import type { Catalog, StepRecord } from '../../../store/catalog.js';
import { aBuild, anAttempt, anApproval, anEdge, aRef, aRun, aStep, at, aVersion, digest } from '../store/records.js'; // prettier-ignore

export const csv = aRef({ digest: digest('1'), name: 'hmda.csv' });
export const table = aRef({ digest: digest('2'), name: 'table' });
export const weights = aRef({
  $artifact: 'model',
  digest: digest('3'),
  name: 'model',
}) as ArtifactRef<'model'>;
export const report = aRef({ $artifact: 'report', digest: digest('4'), name: 'report' });
export const scores = aRef({ digest: digest('5'), name: 'scores' });

const specs = [
  { name: 'validate', source: { digest: digest('a') } },
  { name: 'train', command: ['python', 'train.py'], source: { digest: digest('b') } },
] as never;

type Call = {
  readonly run: string;
  readonly path: string;
  readonly reads?: readonly ArtifactRef[];
  readonly makes?: readonly ArtifactRef[];
  readonly parameters?: object;
  readonly second?: number;
} & Partial<StepRecord>;

/** A step that has run. */
export async function call(catalog: Catalog, options: Call): Promise<void> {
  const { run, path, reads = [], makes = [], parameters = {}, second = 1, ...fields } = options;
  const edge = (direction: 'input' | 'output', artifact: ArtifactRef, index: number) =>
    anEdge({ run, path, direction, field: `${artifact.name}${index || ''}`, artifact, at: at(second) });
  await catalog.project({
    steps: [
      aStep({
        run, path, name: path.replace(/#.*/, ''), status: 'completed', scheduledAt: at(second), closedAt: at(second + 1),
        input: { ...Object.fromEntries(reads.map((ref) => [ref.name, ref])), ...parameters }, ...fields,
      }),
    ],
    attempts: [anAttempt({ run, path, status: 'completed', image: digest('d'), startedAt: at(second), closedAt: at(second + 1) })],
    artifacts: [...reads.map((ref, index) => edge('input', ref, index)), ...makes.map((ref, index) => edge('output', ref, index))],
  }); // prettier-ignore
}

/**
 * run-1: an uploaded table is validated, a model trained and evaluated, judged by a gate, registered, approved and promoted.
 * run-2: scores with that model.
 */
export async function recordScenario(catalog: Catalog): Promise<void> {
  await catalog.publishBuild(aBuild({ steps: specs }));
  const images = { train: { reference: 'python:3.12-slim', id: digest('d') } };
  await catalog.insertRun(aRun({ input: { csv, minAuc: 0.75 }, plan: { executor: 'docker', images } }));
  await call(catalog, { run: 'run-1', path: 'validate', reads: [csv], makes: [table], second: 1 });
  await call(catalog, { run: 'run-1', path: 'train', reads: [table], makes: [weights], parameters: { trees: 100 }, second: 3 });
  await call(catalog, { run: 'run-1', path: 'evaluate', reads: [weights, table], makes: [report], second: 5 });
  const checks = { auc: { value: 0.8, comparison: '>=', bound: 0.75, outcome: 'pass' } } as const;
  await catalog.recordGate({ run: 'run-1', path: 'quality', outcome: { gate: 'quality', outcome: 'pass', checks }, evidence: { report }, at: at(7) });
  const { version } = await catalog.registerVersion(aVersion({ model: weights, evidence: { report }, createdAt: at(8) }));
  await catalog.project({
    steps: [aStep({ path: 'register', name: 'mortgage', kind: 'register', status: 'completed' })],
    artifacts: [anEdge({ path: 'register', direction: 'input', artifact: weights })],
  });
  await catalog.openApproval(anApproval({ of: { name: 'mortgage', version, model: weights }, evidence: { report } }));
  await catalog.closeApproval({ run: 'run-1', path: 'release', status: 'approved', decision: { gate: 'release', decision: 'approved', by: 'ada', reason: 'looks "good"', at: at(9) } });
  await catalog.setAlias({ run: 'run-1', path: 'promote', name: 'mortgage', version, alias: 'champion', at: at(10) });
  await catalog.insertRun(aRun({ id: 'run-2', pipeline: 'score', input: { model: weights }, startedAt: at(20) }));
  await call(catalog, { run: 'run-2', path: 'score', reads: [weights], makes: [scores], second: 21 });
} // prettier-ignore
