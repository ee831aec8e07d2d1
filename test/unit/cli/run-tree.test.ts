import { runReport } from '../../../cli/render/run-report.js';
import { runTree } from '../../../cli/render/run-tree.js';
import { stepReport } from '../../../cli/render/step-report.js';
import type { TreeOptions } from '../../../cli/render/run-tree.js';
import { rowText } from '../../../cli/render/styled-row.js';
import { textWidth } from '../../../cli/render/text-width.js';
import type { RunView } from '../../../client/views.js';
import { atLeast, atMost, judge, warn } from '../../../sdk/gate.js';
import { aMetric, aRef, aRun, aVersion, anApproval, anAttempt, at, digest } from '../store/records.js';
import { aStepView, aView, clock, ranStep } from './run-views.js';

const tree = (view: RunView, options: Partial<TreeOptions> = {}): string[] =>
  runTree(view, { now: clock(10), ...options }).map(({ row }) => rowText(row));

test('a run is a tree of its steps with state, time, last metric and what they wait for', () => {
  const view = aView([
    ranStep('validate', 1, 2),
    ranStep('train', 2, undefined, {
      progress: 0.456,
      detail: 'epoch 3 of 10',
      metrics: [aMetric({ name: 'auc', value: 0.812345 }), aMetric({ name: 'loss', value: 1 })],
    }),
    aStepView({ path: 'train#2', status: 'queued', detail: 'needs 2 cpus', scheduledAt: at(4) }),
  ]);
  expect(tree(view, { frame: 0 })).toEqual([
    '⠋ mortgage  run-1  running  10.0s',
    '├─ ✓ validate    1.0s',
    '├─ ⠋ train       8.0s  auc=0.8123  45%  epoch 3 of 10',
    '└─ ○ train#2     6.0s  queued: needs 2 cpus',
  ]);
});

test('only what runs has a spinner, and it turns with the frame; without a frame it stands', () => {
  const view = aView([ranStep('a', 1), ranStep('b', 1, 2), aStepView({ path: 'c', status: 'queued' })]);
  const symbols = (options: Partial<TreeOptions>) =>
    tree(view, options).map((line) => line.replace(/^[├└]─ /, '')[0]);
  expect(symbols({ frame: 0 })).toEqual(['⠋', '⠋', '✓', '○']);
  expect(symbols({ frame: 1 })).toEqual(['⠙', '⠙', '✓', '○']);
  expect(symbols({ frame: 10 })).toEqual(symbols({ frame: 0 }));
  expect(symbols({})).toEqual(['●', '●', '✓', '○']);
});

test('an attempt is shown when it is not the first, with the time of that attempt', () => {
  const view = aView([
    aStepView({
      attempts: [
        anAttempt({ attempt: 3, startedAt: at(7) }),
        anAttempt({ attempt: 2, status: 'lost', startedAt: at(4), closedAt: at(6) }),
      ],
    }),
    aStepView({
      path: 'fit',
      status: 'retrying',
      detail: 'attempt 2 waits for a worker',
      attempts: [anAttempt({ path: 'fit', status: 'failed', startedAt: at(1), closedAt: at(2) })],
    }),
  ]);
  expect(tree(view).slice(1)).toEqual([
    '├─ ● train    3.0s  attempt 3',
    '└─ ↻ fit      1.0s  retrying: attempt 2 waits for a worker',
  ]);
});

test('gates, approvals, versions and promotions say their outcome', () => {
  const checks = { auc: atLeast(0.82, 0.75), gap: warn(atMost(0.2, 0.1)) };
  const view = aView(
    [
      aStepView({ path: 'quality', kind: 'gate', status: 'completed', closedAt: at(2), detail: 'warn' }),
      aStepView({
        path: 'register',
        kind: 'register',
        status: 'completed',
        closedAt: at(2),
        detail: 'version 3',
        output: { name: 'mortgage', version: 3 },
      }),
      aStepView({ path: 'release', kind: 'approval', status: 'waiting' }),
      aStepView({ path: 'audit', kind: 'approval', status: 'completed', closedAt: at(5) }),
      aStepView({
        path: 'promote',
        kind: 'promote',
        status: 'completed',
        closedAt: at(2),
        detail: 'champion: version 2 → 3',
        output: { name: 'mortgage' },
      }),
    ],
    {
      gates: [
        { run: 'run-1', path: 'quality', outcome: judge('quality', checks), evidence: null, at: at(2) },
      ],
      approvals: [
        anApproval(),
        anApproval({
          path: 'audit',
          gate: 'audit',
          status: 'approved',
          decision: { gate: 'audit', decision: 'approved', by: 'ada', reason: 'read it', at: at(5) },
        }),
      ],
    },
  );
  expect(tree(view).slice(1)).toEqual([
    '├─ ✓ quality gate              warn  auc 0.82 >= 0.75: pass, gap 0.2 <= 0.1: warn',
    '├─ ✓ register            1.0s  mortgage version 3',
    '├─ ? release approval    9.0s  waiting for a decision  millrace approve run-1 release',
    '├─ ✓ audit approval      4.0s  approved by ada: read it',
    '└─ ✓ promote             1.0s  mortgage champion: version 2 → 3',
  ]);
});

test('child runs hang under the step that started them', () => {
  const child = aView([ranStep('fit', 3, 4), ranStep('test', 4)], { run: aRun({ id: 'run-1.sweep' }) });
  const view = aView([
    aStepView({ path: 'sweep', kind: 'pipeline', scheduledAt: at(2), child }),
    ranStep('report', 5, 6),
  ]);
  expect(tree(view).slice(1)).toEqual([
    '├─ ● sweep      8.0s  run-1.sweep',
    '│  ├─ ✓ fit     1.0s',
    '│  └─ ● test    6.0s',
    '└─ ✓ report     1.0s',
  ]);
});

const failure = {
  code: 'STEP_FAILED',
  what: 'The program ended with exit code 3.',
  run: 'run-1',
  step: 'train',
  attempt: 2,
  hint: 'See `millrace logs run-1 train`.',
  fields: { logTail: ['Traceback', '2026-01-01T00:00:02.000Z err   ValueError: \u001b[31mno rows\u001b[0m'] },
};

test('a failure is on its row, or whole beneath it where that is asked', () => {
  const view = aView([ranStep('train', 1, 3, { status: 'failed', failure })]);
  expect(tree(view)[1]).toBe('└─ ✗ train    2.0s  STEP_FAILED: The program ended with exit code 3.');
  expect(tree(view, { failures: 'full' }).slice(1)).toEqual([
    '└─ ✗ train    2.0s  STEP_FAILED',
    '     The program ended with exit code 3. [attempt=2]',
    '     | Traceback',
    '     |   ValueError: no rows',
    '     → See `millrace logs run-1 train`.',
  ]);
});

test('every line fits the width, whatever is in it', () => {
  const view = aView([
    ranStep('train', 1, undefined, {
      detail: 'lädt 学習データ 🚂 und sehr viel mehr als in eine Zeile passt, ganz sicher',
    }),
    ranStep('a-very-long-name-for-a-step-that-does-not-fit-anywhere', 1, 3, { status: 'failed', failure }),
  ]);
  for (let width = 1; width <= 120; width += 1) {
    for (const line of tree(view, { width, failures: 'full' }))
      expect(textWidth(line)).toBeLessThanOrEqual(width);
  }
  expect(tree(view, { width: 44 })[1]).toBe('├─ ● train                  9.0s  lädt 学習…');
});

test('what a step says of itself cannot move the cursor or break the line', () => {
  const view = aView([
    ranStep('train', 1, undefined, { detail: 'a\u001b[2Jb\nc\u001b]0;title\u0007d\re\u202Ef' }),
  ]);
  expect(tree(view)[1]).toBe('└─ ● train    9.0s  ab cd e f');
});

test('a run without steps says what it does before the first, when that takes long', () => {
  const view = aView([], { run: aRun() });
  expect(tree(view, { now: clock(0) + 500 })).toHaveLength(1);
  expect(tree(view)[1]).toBe('└─ preparing: images are looked up, pulled or built');
});

describe('show', () => {
  const report = (view: RunView) => runReport(view, { width: 100, now: clock(10) }).map(rowText);

  test('an open decision comes with what speaks for it and the commands that answer it', () => {
    const view = aView([aStepView({ path: 'release', kind: 'approval', status: 'waiting' })], {
      gates: [
        {
          run: 'run-1',
          path: 'quality',
          outcome: judge('quality', { gap: warn(atMost(0.2, 0.1)) }),
          evidence: null,
          at: at(2),
        },
      ],
      approvals: [
        anApproval({
          of: { name: 'mortgage', version: 3, model: aVersion().model },
          evidence: {
            report: aRef({ $artifact: 'report', name: 'report', size: 2048 }),
            metrics: { auc: 0.812345 },
          },
        }),
      ],
    });
    const lines = report(view);
    expect(lines.slice(lines.indexOf('release waits for a decision on mortgage version 3'))).toEqual([
      'release waits for a decision on mortgage version 3',
      '  gate quality: warn',
      '    gap 0.2 <= 0.1: warn',
      '  evidence:',
      '    report       report report (2.0 KiB, sha256:aaaaaaaaaaaa)',
      '    metrics.auc  0.8123',
      '  millrace approve run-1 release',
      '  millrace reject run-1 release --reason "…"',
    ]);
  });

  test('a paused run says who paused it and how it goes on, a cancelled one what its cleanup did not do', () => {
    const paused = { by: 'ada', at: at(5), reason: 'new data' };
    const text = (fields: Parameters<typeof aRun>[0]) =>
      runReport(aView([], { run: aRun(fields) }), { width: undefined, now: clock(60) })
        .map(rowText)
        .join('\n');
    expect(text({ paused })).toMatch(
      /run-1 {2}paused .*\n[^]*paused by ada since .*: new data\n.*millrace resume run-1/,
    );
    expect(text({ failure: { code: 'RUN_CANCELLED', what: 'So.' } })).toContain('run-1  being cancelled');
    const cleanupFailure = { code: 'STEP_FAILED', what: 'It broke.' };
    expect(text({ status: 'cancelled', closedAt: at(9), cleanupFailure })).toContain(
      'its cleanup failed: STEP_FAILED: It broke.',
    );
  });

  test('a run that failed in its own code says so; one that failed in a step says it there alone', () => {
    const own = { code: 'RUN_FAILED', what: 'models is empty.' };
    const inPipeline = aView([ranStep('a', 1, 2)], {
      run: aRun({ status: 'failed', closedAt: at(3), failure: own }),
    });
    expect(report(inPipeline)).toContain('  RUN_FAILED: models is empty.');
    const inStep = aView([ranStep('train', 1, 3, { status: 'failed', failure })], {
      run: aRun({ status: 'failed', closedAt: at(3), failure }),
    });
    expect(report(inStep).filter((line) => line.includes('exit code 3'))).toHaveLength(1);
  });

  test('the result is JSON with artifacts by name, size and digest', () => {
    const view = aView([], {
      run: aRun({
        status: 'completed',
        closedAt: at(3),
        output: { model: aRef({ $artifact: 'model' }), auc: 0.8 },
      }),
    });
    const text = report(view).join('\n');
    expect(text).toContain(`"model": "model table.csv (7 B, ${aRef().digest})"`);
    expect(text).toContain('"auc": 0.8');
  });
});

describe('what went in and came out', () => {
  const csv = aRef({ name: 'hmda.csv', size: 2048 });
  const train = ranStep('train', 1, 2, {
    input: { csv, many: [csv], trees: 1234567, note: 'a\u001b[31mb\n' + 'x'.repeat(100), nothing: undefined },
    output: { auc: 0.812345678, model: aRef({ $artifact: 'model', name: 'model' }) },
    metrics: [aMetric({ name: 'auc', value: 0.8 })],
    checkpoints: [{ run: 'run-1', path: 'train', attempt: 1, sequence: 3, digest: digest('c'), size: 2048, at: at(2) }], // prettier-ignore
  });
  const gate = aStepView({ path: 'quality', kind: 'gate', status: 'completed', output: { big: 1 } });

  test('stands under each step when asked for, a line a field, artifacts by name, size and short digest', () => {
    expect(tree(aView([train, gate]), { io: true }).slice(2)).toEqual([
      '│    ← csv: dataset hmda.csv (2.0 KiB, sha256:aaaaaaaaaaaa)',
      '│    ← many: [dataset hmda.csv (2.0 KiB, sha256:aaaaaaaaaaaa)]',
      '│    ← trees: 1234567',
      expect.stringMatching(/^│ {4}← note: "a.*b\\nx+…$/),
      '│    → auc: 0.812345678',
      '│    → model: model model (7 B, sha256:aaaaaaaaaaaa)',
      expect.stringContaining('quality gate'),
    ]);
    expect(tree(aView([train, gate]))).toHaveLength(3);
  });

  test('of one step is shown whole, with its attempts', () => {
    const rows = stepReport(train, aView([train]), clock(10)).map(rowText);
    expect(rows[0]).toBe('train  run-1  completed  1.0s  auc=0.8');
    expect(rows).toContain('  attempt 1     completed, docker on worker-1, 1.0s');
    expect(rows).toContain('  metric        auc=0.8');
    expect(rows).toContainEqual(
      expect.stringMatching(
        /^ {2}checkpoint {4}3 of attempt 1, 2\.0 KiB, stored \d{4}-\d\d-\d\d \d\d:\d\d:02$/,
      ),
    );
    const text = rows.join('\n');
    expect(text).toContain('x'.repeat(100));
    expect(text).toContain(`"csv": "dataset hmda.csv (2.0 KiB, ${csv.digest})"`);
    expect(text).toContain('"auc": 0.812345678');
    expect(text).not.toContain('\u001b');
  });
});
