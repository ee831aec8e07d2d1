import vm from 'node:vm';
import * as errors from '../../../sdk/errors.js';
import {
  errorCodes,
  isMillraceError,
  MillraceError,
  rebuildError,
  StepFailed,
  StepTimeout,
} from '../../../sdk/errors.js';
import {
  fromFailureInfo,
  isInfrastructure,
  isRetryable,
  toFailureInfo,
} from '../../../sdk/protocol/failure.js';
import { inputProblems } from '../../../sdk/input-problems.js';
import { sentence } from '../../../sdk/sentence.js';
import { z } from 'zod';

const place = { run: 'run-1', step: 'train#2', attempt: 3 };

test.each([
  [{}, 'It broke.'],
  [{ run: 'run-1' }, 'It broke. [run=run-1]'],
  [{ step: 'train', attempt: 1 }, 'It broke. [step=train attempt=1]'],
  [{ ...place, hint: 'Mend it.' }, 'It broke. [run=run-1 step=train#2 attempt=3] Mend it.'],
  [{ hint: 'Mend it.' }, 'It broke. Mend it.'],
])('the message says what, where and what to do: %j', (options, message) => {
  expect(new StepFailed('It broke.', options).message).toBe(message);
});

test('an error tells its code, class, place, facts and cause', () => {
  const cause = new Error('below');
  const error = new StepFailed('It broke.', { ...place, fields: { exitCode: 2 }, cause });
  expect(error).toMatchObject({
    name: 'StepFailed',
    code: 'STEP_FAILED',
    what: 'It broke.',
    place,
    hint: undefined,
    fields: { exitCode: 2 },
    cause,
  });
  expect(String(error)).toMatch(/^StepFailed: It broke\./);
  expect('cause' in new StepFailed('It broke.')).toBe(false);
});

test('a place is filled in where none was known, and nothing known is changed', () => {
  const error = new StepFailed('It broke.', {
    step: 'train',
    hint: 'Mend it.',
    fields: { exitCode: 2 },
    cause: 1,
  });
  const placed = error.at({ run: 'run-1', step: 'other', attempt: 3 });
  expect(placed).toBeInstanceOf(StepFailed);
  expect(placed).toMatchObject({
    place: { run: 'run-1', step: 'train', attempt: 3 },
    hint: 'Mend it.',
    fields: { exitCode: 2 },
    cause: 1,
  });
  expect(placed.message).toBe('It broke. [run=run-1 step=train attempt=3] Mend it.');
  expect(error.place.run).toBeUndefined();
});

test('a code gives its class back, an unknown one the base', () => {
  expect(rebuildError('STEP_FAILED', 'x', {})).toBeInstanceOf(StepFailed);
  expect(rebuildError('STEP_FAILED', 'x', {})).not.toBeInstanceOf(StepTimeout);
  const unknown = rebuildError('FROM_THE_FUTURE', 'x', {});
  expect(unknown).toBeInstanceOf(MillraceError);
  expect(unknown).toMatchObject({ name: 'FromTheFuture', code: 'FROM_THE_FUTURE' });
});

test('every class of the module stands for one code that bears its name', () => {
  const classes = Object.entries(errors).filter(
    ([name, value]) => /^[A-Z]/.test(name) && value !== MillraceError,
  );
  const codes = classes.map(([name, Class]) => {
    const error = new (Class as typeof StepFailed)('x');
    expect(error.name).toBe(name);
    return error.code;
  });
  expect(codes.sort()).toEqual(errorCodes());
});

test('an error is recognised by its mark, also from another realm, and nothing else is', () => {
  const foreign: unknown = vm.runInNewContext(
    "Object.assign(new Error('x'), { [Symbol.for('millrace.error')]: true, code: 'STEP_FAILED' })",
  );
  expect(isMillraceError(foreign)).toBe(true);
  expect(foreign instanceof StepFailed).toBe(true);
  expect(foreign instanceof StepTimeout).toBe(false);
  for (const value of [new Error('x'), { code: 'STEP_FAILED' }, null, undefined, 'STEP_FAILED'])
    expect([isMillraceError(value), value instanceof StepFailed]).toEqual([false, false]);
});

test('an error crosses processes as JSON and is whole again', () => {
  const error = new StepFailed('It broke.', {
    ...place,
    hint: 'Mend it.',
    fields: { exitCode: 2, logTail: ['x'] },
    cause: new Error('y'),
  });
  const info: unknown = JSON.parse(JSON.stringify(toFailureInfo(error)));
  expect(info).toEqual({
    code: 'STEP_FAILED',
    what: 'It broke.',
    ...place,
    hint: 'Mend it.',
    fields: { exitCode: 2, logTail: ['x'] },
  });
  const back = fromFailureInfo(info as ReturnType<typeof toFailureInfo>, 'where it came from');
  expect(back).toBeInstanceOf(StepFailed);
  expect(back.message).toBe(error.message);
  expect(back).toMatchObject({ place, hint: 'Mend it.', fields: error.fields, cause: 'where it came from' });
  expect(toFailureInfo(back)).toEqual(toFailureInfo(error));
});

test('another attempt may cure these codes and no others', () => {
  const retryable = errorCodes().filter((code) => isRetryable(rebuildError(code, 'x', {})));
  expect(retryable).toEqual([
    'ATTEMPT_HANDED_OVER', 'ATTEMPT_LOST', 'ATTEMPT_PREEMPTED', 'ATTEMPT_SUPERSEDED', 'DEPENDENCIES_FAILED', 'DOCKER_UNAVAILABLE', 'INFRASTRUCTURE_FAILED', 'OUT_OF_MEMORY', 'STEP_FAILED', 'STEP_OUTPUT_MISSING', 'STEP_TIMEOUT', 'STORE_UNAVAILABLE', 'TEMPORAL_UNAVAILABLE', 'WORKER_LOST',
  ]); // prettier-ignore
});

test('a step that says retrying is useless is believed', () => {
  expect(isRetryable(new StepFailed('x', { fields: { retryable: false } }))).toBe(false);
  expect(isRetryable(new StepFailed('x', { fields: { retryable: true } }))).toBe(true);
});

test("these codes are not the author's fault and no others", () => {
  expect(errorCodes().filter((code) => isInfrastructure(rebuildError(code, 'x', {})))).toEqual([
    'ATTEMPT_HANDED_OVER',
    'ATTEMPT_LOST',
    'ATTEMPT_PREEMPTED',
    'ATTEMPT_SUPERSEDED',
    'DOCKER_UNAVAILABLE',
    'INFRASTRUCTURE_FAILED',
    'STORE_UNAVAILABLE',
    'TEMPORAL_UNAVAILABLE',
    'WORKER_LOST',
  ]);
});

test('wrong fields are named with their path, and the input itself as such', () => {
  const schema = z.object({ trees: z.number(), nested: z.object({ list: z.array(z.string()) }) });
  const problems = (value: unknown) => inputProblems(schema.safeParse(value).error!);
  expect(problems({ trees: 'x', nested: { list: ['a', 1] } })).toEqual([
    '`trees`: Invalid input: expected number, received string',
    '`nested.list.1`: Invalid input: expected string, received number',
  ]);
  expect(problems(3)).toEqual(['the input: Invalid input: expected object, received number']);
});

test.each([
  ['It broke', 'It broke.'],
  ['It broke.', 'It broke.'],
  [' It broke...\n', 'It broke.'],
])("somebody else's words %p end as a sentence", (text, expected) => {
  expect(sentence(text)).toBe(expected);
});
