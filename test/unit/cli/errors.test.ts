import picocolors from 'picocolors';
import { errorReport, failureReport, formatErrorReport } from '../../../cli/error-report.js';
import { exitCodeOfError, exitCodeOfErrorCode, exitCodeOfRun } from '../../../cli/exit-codes.js';
import { UsageError } from '../../../cli/usage-error.js';
import {
  ConfigInvalid,
  errorCodes,
  InvalidInput,
  RunCancelled,
  StepFailed,
  TemporalUnavailable,
  UnknownPipeline,
} from '../../../sdk/errors.js';

const plain = picocolors.createColors(false);

describe('exit codes', () => {
  test.each([
    [new UsageError('x'), 2],
    [new InvalidInput('x'), 2],
    [new UnknownPipeline('x'), 2],
    [new ConfigInvalid('x'), 2],
    [new TemporalUnavailable('x'), 3],
    [new RunCancelled('x'), 5],
    [new StepFailed('x'), 1],
    [new Error('x'), 1],
    ['x', 1],
  ])('%s ends with %d', (error, code) => {
    expect(exitCodeOfError(error)).toBe(code);
  });

  test('each error code has a code of the documented ones, and what one has to mend oneself is never "not reachable"', () => {
    const known = new Map(errorCodes().map((code) => [code, exitCodeOfErrorCode(code)]));
    expect([...known.values()].every((code) => [1, 2, 3, 5].includes(code))).toBe(true);
    expect([...known].filter(([, code]) => code === 3).map(([code]) => code)).toEqual([
      'DOCKER_UNAVAILABLE',
      'NO_BUILD',
      'PORT_TAKEN',
      'STORE_UNAVAILABLE',
      'TEMPORAL_NOT_FOUND',
      'TEMPORAL_UNAVAILABLE',
    ]);
    expect([...known].filter(([code]) => code.startsWith('UNKNOWN_')).every(([, code]) => code === 2)).toBe(
      true,
    );
  });

  test.each([
    ['completed', 0],
    ['failed', 1],
    ['terminated', 1],
    ['timed_out', 1],
    ['cancelled', 5],
  ] as const)('a run that is %s ends with %d', (status, code) => {
    expect(exitCodeOfRun(status)).toBe(code);
  });
});

describe('an error on the terminal', () => {
  test('is one block: code, what happened, where, the last log lines, what to do', () => {
    const error = new StepFailed('The program ended with exit code 3.', {
      run: 'r-1',
      step: 'train#2',
      attempt: 2,
      hint: 'See `millrace logs r-1 train#2`.',
      fields: { exitCode: 3, logTail: ['loading', '', 'Traceback'] },
    });
    expect(formatErrorReport(errorReport(error), plain).split('\n')).toEqual([
      'error STEP_FAILED: The program ended with exit code 3. [run=r-1 step=train#2 attempt=2]',
      '  | loading',
      '  | Traceback',
      '  → See `millrace logs r-1 train#2`.',
    ]);
  });

  test('with --json has its code, message, hint and fields', () => {
    const error = new InvalidInput('Wrong.', { hint: 'Mend it.', fields: { problems: ['a'] } });
    expect(errorReport(error)).toEqual({
      code: 'INVALID_INPUT',
      message: 'Wrong.',
      hint: 'Mend it.',
      fields: { problems: ['a'] },
    });
  });

  test('that is none of ours keeps its words and tells how to see more, without its stack', () => {
    const report = errorReport(new TypeError('x is not a function'));
    expect(report).toMatchObject({ code: 'UNEXPECTED', message: 'x is not a function' });
    expect(formatErrorReport(report, plain)).not.toContain('errors.test');
    expect(report.hint).toContain('MILLRACE_DEBUG=1');
  });

  test('a failure out of the catalog reads as its error does', () => {
    expect(
      failureReport({ code: 'STEP_FAILED', what: 'It broke.', step: 'fit', hint: 'Look.', fields: {} }),
    ).toEqual({
      code: 'STEP_FAILED',
      message: 'It broke. [step=fit]',
      hint: 'Look.',
    });
  });
});
