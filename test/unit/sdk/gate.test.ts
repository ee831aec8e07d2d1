import { atLeast, atMost, describeCheck, judge, warn, within } from '../../../sdk/gate.js';

test.each([
  [atLeast(1, 1), 'pass'], [atLeast(0.99, 1), 'fail'], [atLeast(NaN, 1), 'fail'], [atLeast(1, NaN), 'fail'],
  [atMost(1, 1), 'pass'], [atMost(1.01, 1), 'fail'], [atMost(NaN, 1), 'fail'],
  [within(1, 1, 2), 'pass'], [within(2, 1, 2), 'pass'], [within(2.1, 1, 2), 'fail'], [within(0.9, 1, 2), 'fail'], [within(NaN, 1, 2), 'fail'],
  [warn(atLeast(0, 1)), 'warn'], [warn(atLeast(NaN, 1)), 'warn'], [warn(atLeast(1, 1)), 'pass'], [warn(warn(atLeast(0, 1))), 'warn'],
])('a check is judged by its numbers: %j is %s', (check, outcome) => {
  expect(check.outcome).toBe(outcome);
}); // prettier-ignore

test.each([
  ['no check', {}, 'pass'],
  ['all that pass', { a: atLeast(1, 0), b: atMost(0, 1) }, 'pass'],
  ['one that warns', { a: atLeast(1, 0), b: warn(atMost(2, 1)) }, 'warn'],
  ['one that fails', { a: warn(atLeast(0, 1)), b: atMost(2, 1), c: atLeast(1, 0) }, 'fail'],
])('a gate is as its worst check: %s', (_, checks, outcome) => {
  expect(judge('quality', checks)).toEqual({ gate: 'quality', outcome, checks });
});

test.each([
  [describeCheck('auc', atLeast(0.71, 0.75)), 'auc 0.71 >= 0.75: fail'],
  [describeCheck('gap', warn(atMost(0.123456789, 0.1))), 'gap 0.123457 <= 0.1: warn'],
  [describeCheck('rate', within(0.5, 0.4, 0.6)), 'rate 0.5 within 0.4 to 0.6: pass'],
  [describeCheck('auc', atLeast(NaN, 0.75)), 'auc no number >= 0.75: fail'],
])('a check reads %p', (text, expected) => {
  expect(text).toBe(expected);
});

test('a check without a number reads the same when it comes back as JSON', () => {
  const check = atLeast(NaN, 0.75);
  expect(describeCheck('auc', JSON.parse(JSON.stringify(check)) as typeof check)).toBe(
    describeCheck('auc', check),
  );
});
