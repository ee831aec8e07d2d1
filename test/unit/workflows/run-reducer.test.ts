import type { RunState, StepState } from '../../../sdk/protocol/messages.js';
import type { RunEvent } from '../../../workflows/run-reducer.js';
import { reduceRun, startedRun } from '../../../workflows/run-reducer.js';

const at = (second: number) => `2026-01-01T00:00:0${second}.000Z`;
const plan = { executor: 'process', images: {}, warning: 'no engine' } as const;
const failure = { code: 'STEP_FAILED', what: 'It broke.' };
const scheduled = (path: string, kind: StepState['kind'] = 'step'): RunEvent => ({
  type: 'scheduled',
  path,
  name: path.split('#')[0]!,
  kind,
  at: at(1),
});
const queued: StepState = { path: 'a', name: 'a', kind: 'step', status: 'queued', scheduledAt: at(1) };
const started = startedRun('run-1', 'p');

/** Nothing of it may be written to. */
const frozen = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
};
const after = (...events: readonly RunEvent[]): RunState =>
  events.reduce((state, event) => reduceRun(frozen(state), frozen(event)), started);

test('a run begins with nothing but its name', () => {
  expect(started).toEqual({ run: 'run-1', pipeline: 'p', status: 'running', plan: undefined, steps: [] });
});

test.each<[string, readonly RunEvent[], Partial<RunState>]>([
  ['a plan', [{ type: 'planned', plan }], { plan }],
  ['a call', [scheduled('a')], { steps: [queued] }],
  [
    'a call for a person',
    [scheduled('a', 'approval')],
    { steps: [{ ...queued, kind: 'approval', status: 'waiting' }] },
  ],
  ['a call for a gate', [scheduled('a', 'gate')], { steps: [{ ...queued, kind: 'gate' }] }],
  [
    'an end of a call',
    [scheduled('a'), scheduled('b'), { type: 'closed', path: 'a', status: 'completed', at: at(2) }],
    {
      steps: [
        { ...queued, status: 'completed', closedAt: at(2) },
        { ...queued, path: 'b', name: 'b' },
      ],
    },
  ],
  [
    'a failure of the second of two calls',
    [scheduled('a'), scheduled('a#2'), { type: 'closed', path: 'a#2', status: 'failed', at: at(2), failure }],
    { steps: [queued, { ...queued, path: 'a#2', status: 'failed', closedAt: at(2), failure }] },
  ],
  [
    'a cached result that was lost and made again, by the step itself or by another one',
    [
      scheduled('a'), scheduled('b'),
      { type: 'closed', path: 'a', status: 'completed', at: at(2), cached: { run: 'run-0', path: 'a' } },
      { type: 'closed', path: 'b', status: 'completed', at: at(2), cached: { run: 'run-0', path: 'b' } },
      { type: 'remade', path: 'a' }, { type: 'remade', path: 'b', cached: { run: 'run-9', path: 'b' } },
    ],
    {
      steps: [
        { ...queued, status: 'completed', closedAt: at(2) },
        { ...queued, path: 'b', name: 'b', status: 'completed', closedAt: at(2), cached: { run: 'run-9', path: 'b' } },
      ],
    },
  ], // prettier-ignore
  ['an end of a call nobody made', [{ type: 'closed', path: 'b', status: 'completed', at: at(2) }], {}],
  [
    'its end, open calls as they are',
    [scheduled('a'), { type: 'ended', status: 'cancelled' }],
    { status: 'cancelled', steps: [queued] },
  ],
])('a run after %s', (_, events, expected) => {
  expect(after(...events)).toEqual({ ...started, ...expected });
});

test('the state before an event stays as it was, so that queries and replays may hold it', () => {
  const before = after(scheduled('a'));
  const copy = structuredClone(before);
  const next = reduceRun(before, { type: 'closed', path: 'a', status: 'completed', at: at(2) });
  expect(before).toEqual(copy);
  expect(next).not.toBe(before);
  expect(next).toEqual(reduceRun(copy, { type: 'closed', path: 'a', status: 'completed', at: at(2) }));
});
