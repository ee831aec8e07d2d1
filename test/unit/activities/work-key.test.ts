import { z } from 'zod';
import { workKey } from '../../../activities/work-key.js';
import type { StepTask } from '../../../sdk/protocol/messages.js';
import { step, STEP } from '../../../sdk/step.js';
import { storedSpec } from '../../support/stored-spec.js';
import { digest } from '../store/records.js';

const definition = step({
  name: 'train',
  image: 'busybox:latest',
  command: ['/bin/train'],
  input: z.object({ rows: z.number(), seed: z.number() }),
  output: z.object({}),
})[STEP];
const spec = storedSpec(definition.spec);
const task: StepTask = {
  v: 1,
  run: 'run-1',
  path: 'train',
  pipeline: 'p',
  build: 'b',
  queue: 'q',
  spec,
  executor: 'docker',
  image: { reference: 'busybox:latest', id: digest('1') },
  input: { rows: 5, seed: 1 },
};

test('more memory, time and attempts are the same work', () => {
  const { resources } = spec;
  const given = { ...spec, resources: { ...resources, memory: 2 ** 40 }, timeoutMs: 1, retry: { ...spec.retry, attempts: 9 } }; // prettier-ignore
  const again = { ...task, spec: given, input: { seed: 1, rows: 5 }, attempt: 2, delivery: 3, missed: 'x' };
  expect(workKey(again)).toBe(workKey(task));
});

const content = { digest: digest('2'), type: 'tree', size: 1 } as const;
test.each<[string, Partial<StepTask>]>([
  ['input', { input: { rows: 6, seed: 1 } }],
  ['image', { image: { reference: 'busybox:latest', id: digest('2') } }],
  ['source', { spec: { ...spec, source: content } }],
  ['code', { spec: { ...spec, code: content } }],
  ['command', { spec: { ...spec, command: ['/bin/train', '--fast'] } }],
])('another %s is other work', (_, given) => {
  expect(workKey({ ...task, ...given })).not.toBe(workKey(task));
});
