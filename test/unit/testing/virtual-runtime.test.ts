import type { VirtualAnswer, VirtualCall, VirtualWorld } from '../../../testing/index.js';
import { createVirtualClock, virtualRuntime } from '../../../testing/index.js';
import { ApprovalExpired, ApprovalRejected, GateFailed } from '../../../sdk/errors.js';
import { atLeast } from '../../../sdk/gate.js';

const info = { run: 'run-1', pipeline: 'p', tags: {} };
const decided = { gate: 'release', by: 'ada', at: '2026-01-01T00:00:00.000Z' } as const;

function running(
  answer: (call: VirtualCall) => VirtualAnswer | Promise<VirtualAnswer>,
  world: Partial<VirtualWorld> = {},
) {
  const clock = createVirtualClock({ start: 0 });
  return { clock, runtime: virtualRuntime({ info, clock, world: { answer, ...world } }) };
}

test('calls have the paths that they have on Temporal, and inputs as they cross: as JSON', async () => {
  const calls: unknown[] = [];
  const { runtime } = running((call) => {
    calls.push([call.kind, call.path, call.input]);
    return { gives: { n: 1 } };
  });
  await Promise.all([
    runtime.step('train', { a: 1, b: undefined }),
    runtime.step('train', { at: new Date(0) }),
  ]);
  await runtime.fetchData('file:a.csv', { kind: 'dataset' });
  expect(calls).toEqual([
    ['step', 'train', { a: 1 }],
    ['step', 'train#2', { at: '1970-01-01T00:00:00.000Z' }],
    ['fetch', 'fetchData', { uri: 'file:a.csv', kind: 'dataset' }],
  ]);
});

test('what a pipeline does with a value changes nothing outside', async () => {
  const held = { list: [3, 1, 2] };
  const { runtime } = running(() => ({ gives: held }));
  const { list } = (await runtime.step('sorts', {})) as typeof held;
  list.reverse();
  expect(held.list).toEqual([3, 1, 2]);
});

test('parallel calls end in the order of their times', async () => {
  const { clock, runtime } = running(({ input }) => ({ gives: input, after: (input as { ms: number }).ms }));
  const order: unknown[] = [];
  for (const ms of [30, 10, 20]) void runtime.step('waits', { ms }).then(() => order.push([ms, clock.now()]));
  await clock.untilQuiet();
  expect(order).toEqual([[10, 10], [20, 20], [30, 30]]); // prettier-ignore
});

test('an approval takes its decision in time, and expires without one', async () => {
  const answers: VirtualAnswer[] = [
    { gives: { ...decided, decision: 'approved' }, after: 3_600_000 },
    { gives: { ...decided, decision: 'approved' }, after: 7_200_000 },
    'nobody',
    { gives: { ...decided, decision: 'rejected', reason: 'numbers' } },
  ];
  const { clock, runtime } = running(() => answers.shift()!);
  const asked = (within?: string) => runtime.approval('release', within === undefined ? {} : { within });
  const results = [asked('90 minutes'), asked('90 minutes'), asked('1 day'), asked()].map((each) =>
    each.then(({ decision }) => decision, (error: unknown) => error),
  ); // prettier-ignore
  await clock.untilQuiet();
  const [first, second, third, fourth] = await Promise.all(results);
  expect(first).toBe('approved');
  expect(second).toBeInstanceOf(ApprovalExpired);
  expect(third).toBeInstanceOf(ApprovalExpired);
  expect(fourth).toBeInstanceOf(ApprovalRejected);
  expect(clock.now()).toBe(24 * 3_600_000);
});

test('a gate is judged, told of, and throws as on Temporal', async () => {
  const judged = jest.fn();
  const { runtime } = running(() => 'nobody', { judged });
  await expect(runtime.gate('quality', { auc: atLeast(0.7, 0.8) }, {})).rejects.toBeInstanceOf(GateFailed);
  await expect(
    runtime.gate('quality', { auc: atLeast(0.7, 0.8) }, { onFail: 'continue' }),
  ).resolves.toMatchObject({ outcome: 'fail' });
  expect(judged.mock.calls.map(([{ path, throws }]) => [path, throws])).toEqual([
    ['quality', true],
    ['quality#2', false],
  ]);
});
