import path from 'node:path';
import { buildProject } from '../../../workers/build/build-project.js';
import { loadSteps } from '../../../workers/build/load-steps.js';
import { stepLogic } from '../../../workers/build/step-logic.js';
import type { Files } from './project.js';
import { openBuilder, writeProject } from './project.js';

jest.setTimeout(60_000);
const steps = (train: string, more = '') => `
import { step, step as declare } from 'millrace';
import { z } from 'zod';
import { double } from './double.js';
const io = z.object({ n: z.number() });
const limit = 10;
${train}
${more}`;
const train = (options = '', body = 'n: Math.min(limit, double(n))') =>
  `export const train = step({ name: 'train', cache: true, input: io, output: io, ${options} }, ({ n }) => ({ ${body} }));`;
const files = (text: string, double = 'export const double = (n: number): number => 2 * n;'): Files => ({
  'a.steps.ts': text,
  'double.ts': double,
  'a.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { train } from './a.steps.js';
export const a = pipeline({ name: 'a', input: z.object({}) }, () => train({ n: 1 }));`,
});

async function logicOf(text: string, double?: string, below = '.'): Promise<string> {
  const folder = await writeProject(files(text, double), below);
  const { steps: loaded } = await loadSteps([path.join(folder, 'a.steps.ts')], folder);
  const found = loaded.find(({ definition }) => definition.spec.name === 'train');
  return stepLogic(found!, folder);
}

describe('the logic of a step', () => {
  let first: string;
  beforeAll(async () => {
    first = await logicOf(steps(train()));
    expect(first).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  test.each([
    ['resources, timeout and retries', steps(train("resources: { cpus: 2, memory: '4GiB' }, timeout: '2h', retry: { attempts: 3 },"))],
    ['how its checkpoint is stored', steps(train("checkpoint: { every: '10s' },"))],
    ['how it is cached', steps(train().replace('cache: true', "cache: { ttl: '1h', scope: 'queue' }"))],
    ['options in another order, in short form, at the end',
      steps(`const timeout = '3h';\n${train().replace("name: 'train',", "timeout, name: 'train',").replace('output: io,', 'output: io, retry: { attempts: 2 }')}`)],
    ['comments and layout', steps(`// A remark.\n${train().replace('({ n })', '(/* é */ { n }\n)')}`)],
    ['another step of the file', steps(train(), "export const other = step({ name: 'other', input: io, output: io }, ({ n }) => ({ n: n + 1 }));")],
    ['the name that the file gives `step`', steps(train('timeout: 5000,').replace('step(', 'declare('))],
  ])('stays the same with %s', async (_, text) => {
    expect(await logicOf(text)).toBe(first);
  }); // prettier-ignore

  test.each([
    ['its function', steps(train('', 'n: Math.max(limit, double(n))'))],
    ['a constant it uses', steps(train()).replace('limit = 10', 'limit = 11')],
    ['its output schema', steps(train().replace('output: io', 'output: io.extend({ auc: z.number().optional() })'))],
    ['its environment', steps(train("env: { A: '1' },"))],
  ])('changes with %s', async (_, text) => {
    expect(await logicOf(text)).not.toBe(first);
  }); // prettier-ignore

  test('changes with a file it imports', async () => {
    expect(await logicOf(steps(train()), 'export const double = (n: number): number => n + n;')).not.toBe(first);
  }); // prettier-ignore

  test('does not depend on where the project lies', async () => {
    expect(await logicOf(steps(train()), undefined, 'deeper/down')).toBe(first);
  });

  test('is there for every step, however it is cached', async () => {
    const folder = await writeProject(files(steps(train().replace('cache: true, ', ''))));
    const { store, catalog, build } = await openBuilder();
    const plain = await build(folder);
    expect(plain.record.steps[0]).toMatchObject({ cache: undefined, logic: first });
    const cache = { default: true, ttlMs: 1_000 };
    const cached = await buildProject({ projectDir: folder, queue: 'q', store, catalog, cache });
    expect(cached.record.steps[0]).toMatchObject({ cache: { ttlMs: 1_000, scope: 'catalog' }, logic: first });
  });
});
