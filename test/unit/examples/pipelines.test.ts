import { cpSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { mortgage } from '../../../examples/mortgage/mortgage.pipeline.js';
import { quickstart } from '../../../examples/quickstart/quickstart.pipeline.js';
import * as quickstartSteps from '../../../examples/quickstart/quickstart.steps.js';
import type { ArtifactKind, ArtifactRef } from '../../../sdk/artifact.js';
import { GateFailed } from '../../../sdk/errors.js';
import { judge } from '../../../sdk/gate.js';
import { runHandler } from '../../../sdk/node/run-handler.js';
import { PIPELINE } from '../../../sdk/pipeline.js';
import type { PipelineRuntime } from '../../../sdk/runtime.js';
import { installRuntime } from '../../../sdk/runtime.js';
import type { StepDefinition } from '../../../sdk/step.js';
import { STEP } from '../../../sdk/step.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const examples = path.join(import.meta.dirname, '../../../examples');

const artifact = <K extends ArtifactKind>(kind: K, name: string): ArtifactRef<K> => ({
  $artifact: kind,
  digest: `sha256:${'a'.repeat(64)}`,
  type: 'file',
  size: 1,
  name,
});

/** The pipeline side without a service: what was called, in order, with steps answered by `answer`. */
function testRuntime(
  answer: (name: string, input: never) => unknown,
): PipelineRuntime & { readonly calls: unknown[] } {
  const calls: unknown[] = [];
  const unexpected = (): never => {
    throw new Error('not part of these examples');
  };
  return {
    calls,
    info: { run: 'run-1', pipeline: 'p', tags: {} },
    async step(name, input) {
      calls.push(name);
      return answer(name, input as never);
    },
    async gate(name, checks) {
      const outcome = judge(name, checks);
      calls.push(`gate ${name}: ${outcome.outcome}`);
      if (outcome.outcome === 'fail') throw new GateFailed(`Gate ${name} failed.`);
      return outcome;
    },
    async approval(gate, { of }) {
      calls.push(`approval ${gate} of version ${of?.version}`);
      return { gate, decision: 'approved', by: 'ann', at: '2026-01-01T00:00:00Z' };
    },
    async register(name, { model, metrics }) {
      calls.push(['register', model.name, metrics]);
      return { name, version: 4, model };
    },
    async promote({ name, version }) {
      calls.push('promote');
      return { name, alias: 'champion', version, former: 3 };
    },
    pipeline: unexpected,
    fetchData: unexpected,
    sleep: unexpected,
  };
}

afterEach(() => installRuntime(undefined));

describe('the mortgage pipeline', () => {
  const aucs: Record<string, number> = { forest: 0.82, boosting: 0.84, logistic: 0.8 };
  const answer =
    (heldOut: number) =>
    (name: string, input: { kind: string; model?: ArtifactRef; table?: ArtifactRef }) => {
      if (name === 'validate')
        return {
          train: artifact('dataset', 'train'),
          test: artifact('dataset', 'test'),
          report: artifact('report', 'data'),
        };
      if (name === 'train') {
        expect(input.table?.name).toBe('train');
        return { model: artifact('model', input.kind), kind: input.kind, auc: aucs[input.kind] };
      }
      expect([input.model?.name, input.table?.name]).toEqual(['boosting', 'test']);
      return { auc: heldOut, brier: 0.08, gap: 0.2, report: artifact('report', 'report') };
    };
  const body = (minAuc = 0.75) =>
    mortgage[PIPELINE].body({ csv: artifact('dataset', 'hmda.csv'), minAuc, seed: 7 });

  test('takes the best by validation to champion, with the gap as a warning', async () => {
    const runtime = testRuntime(answer(0.81));
    installRuntime(runtime);
    await expect(body()).resolves.toEqual({
      model: { name: 'mortgage', version: 4, alias: 'champion' },
      metrics: { auc: 0.81, brier: 0.08, gap: 0.2 },
    });
    expect(runtime.calls).toEqual([
      'validate',
      'train',
      'train',
      'train',
      'evaluate',
      'gate quality: warn',
      ['register', 'boosting', { auc: 0.81, brier: 0.08, gap: 0.2 }],
      'approval release of version 4',
      'promote',
    ]);
  });

  test('registers nothing when the held-out AUC is below the bound', async () => {
    const runtime = testRuntime(answer(0.74));
    installRuntime(runtime);
    await expect(body()).rejects.toThrow(GateFailed);
    expect(runtime.calls.at(-1)).toBe('gate quality: fail');
  });

  test('has defaults for all but the data, and refuses a bound that is no share', () => {
    const { input } = mortgage[PIPELINE];
    const csv = artifact('dataset', 'hmda.csv');
    expect(input.parse({ csv })).toEqual({ csv, minAuc: 0.75, seed: 7 });
    expect(input.safeParse({ csv, minAuc: 75 }).success).toBe(false);
    expect(input.safeParse({}).success).toBe(false);
  });
});

describe('the quickstart', () => {
  test('really fits a line to points it makes', async () => {
    const folder = await temporaryFolder();
    const definitions = Object.values(quickstartSteps).map((step) => step[STEP] as unknown as StepDefinition);
    const runtime = testRuntime(async (name, input) => {
      const definition = definitions.find(({ spec }) => spec.name === name);
      if (!definition) throw new Error(`no step ${name}`);
      const { values } = await runHandler(definition, input, {
        run: 'run-1',
        step: name,
        attempt: 1,
        // One folder for both: out/ of the first is in/ of the second.
        folder: () => folder,
        secret: () => '',
        emit: () => undefined,
        signal: new AbortController().signal,
      });
      if (name === 'fit') return definition.output.parse(values);
      expect(statSync(path.join(folder, 'out/table')).isFile()).toBe(true);
      cpSync(path.join(folder, 'out'), path.join(folder, 'in'), { recursive: true });
      return { table: artifact('dataset', 'table') };
    });
    installRuntime(runtime);
    const line = await quickstart[PIPELINE].body({ points: 100 });
    expect(line.slope).toBeCloseTo(3, 1);
    expect(line.r2).toBeGreaterThan(0.99);
    expect(line.r2).toBeLessThan(1);
    expect(runtime.calls).toEqual(['measure', 'fit', 'gate straight: pass']);
  });

  test('is 40 lines at most', () => {
    const lines = ['quickstart.steps.ts', 'quickstart.pipeline.ts'].map(
      (name) =>
        readFileSync(path.join(examples, 'quickstart', name), 'utf8')
          .trimEnd()
          .split('\n').length,
    );
    expect(lines.reduce((a, b) => a + b)).toBeLessThanOrEqual(40);
  });
});

test.each(['mortgage', 'quickstart'])(
  'the example %s imports only what a user of the package has',
  (name) => {
    for (const file of [`${name}.steps.ts`, `${name}.pipeline.ts`]) {
      const from = [...readFileSync(path.join(examples, name, file), 'utf8').matchAll(/from '([^']+)'/g)].map(
        (m) => m[1],
      );
      expect(from.filter((each) => !/^(millrace|zod|node:.*|\.\/.*\.steps\.js)$/.test(each ?? ''))).toEqual(
        [],
      );
    }
  },
);
