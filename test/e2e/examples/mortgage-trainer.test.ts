import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { evaluate, train, validate } from '../../../examples/mortgage/mortgage.steps.js';
import type { ArtifactKind } from '../../../sdk/artifact.js';
import { renderCommand } from '../../../sdk/command-template.js';
import type { Step } from '../../../sdk/step.js';
import { STEP } from '../../../sdk/step.js';
import { describeWith } from '../../support/describe-with.js';
import { startProgram } from '../../support/run-program.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import type { StepEnd } from '../../support/run-as-step.js';
import { layOutStep, runAsStep, stepEnvironment } from '../../support/run-as-step.js';
import { waitFor } from '../../support/wait-for.js';
import { trainerFolder, trainerPython } from './trainer-python.js';

const applications = path.join(trainerFolder, '../hmda.csv');

type Given = {
  readonly values?: Readonly<Record<string, unknown>>;
  readonly artifacts: Readonly<Record<string, readonly [ArtifactKind, string]>>;
};
type Ran = StepEnd & { readonly out: (name: string) => string };

describeWith({ python: true }, "the mortgage example's scripts, run as its steps say", () => {
  jest.setTimeout(900_000);
  let python = '';
  let root = '';
  let count = 0;
  beforeAll(async () => {
    [python, root] = await Promise.all([trainerPython(), temporaryFolder()]);
  });

  /** The step's own command in a folder laid out by hand; what it gives is held against the step's schema. */
  async function run(step: object, { values = {}, artifacts }: Given): Promise<Ran> {
    const { spec, output } = (step as Step)[STEP];
    const folder = await layOutStep({ folder: path.join(root, String(count++)), values, artifacts });
    const [, ...args] = renderCommand(spec.command ?? [], values, folder);
    const end = await runAsStep([python, ...args], { folder, cwd: trainerFolder });
    const out = (name: string) => path.join(folder, 'out', name);
    if (end.exitCode === 0) {
      const artifacts = spec.artifacts.map(({ name }) => name);
      expect(artifacts.filter((name) => !existsSync(out(name)))).toEqual([]);
      for (const name of spec.values) expect(output.shape[name]?.parse(end.output?.[name])).toBeDefined();
    }
    return { ...end, out };
  }
  const validated = (csv: string, seed = 7) =>
    run(validate, { values: { seed }, artifacts: { csv: ['dataset', csv] } });
  const trained = (table: string, kind: string) =>
    run(train, { values: { kind, seed: 7 }, artifacts: { table: ['dataset', table] } });
  const evaluated = (model: string, table: string) =>
    run(evaluate, { artifacts: { model: ['model', model], table: ['dataset', table] } });

  async function wholeRun(): Promise<{
    readonly best: Ran;
    readonly judged: Ran;
    readonly models: readonly Ran[];
  }> {
    const data = await validated(applications);
    const models: Ran[] = [];
    for (const kind of ['forest', 'boosting', 'logistic'])
      models.push(await trained(data.out('train'), kind));
    const best = models.reduce((a, b) => (Number(a.output?.['auc']) >= Number(b.output?.['auc']) ? a : b));
    return { best, judged: await evaluated(best.out('model'), data.out('test')), models };
  }

  test('reach real figures on the held-out part, the same bytes each time', async () => {
    const [first, second] = [await wholeRun(), await wholeRun()];
    expect(first.best.output).toMatchObject({ kind: 'forest' });
    expect(first.judged.output).toEqual({
      auc: expect.closeTo(0.8136, 3),
      brier: expect.closeTo(0.0781, 3),
      gap: expect.closeTo(0.18, 2),
    });
    expect(second.judged.output).toEqual(first.judged.output);
    expect(await digests(second.models)).toEqual(await digests(first.models));

    const folder = first.judged.out('report');
    const report = JSON.parse(await readFile(path.join(folder, 'report.json'), 'utf8'));
    expect(report).toMatchObject({ ...first.judged.output, rows: 785, model: { kind: 'forest' } });
    expect(report.calibration).toHaveLength(10);
    expect(report.model.features).not.toContain('afam');
    const [no, yes] = [report.approvalByGroup['afam=no'], report.approvalByGroup['afam=yes']];
    expect(no.rows + yes.rows).toBe(785);
    expect(no.approved - yes.approved).toBeCloseTo(report.gap, 10);
    for (const plot of ['roc.png', 'calibration.png']) {
      const png = await readFile(path.join(folder, plot));
      expect(png.subarray(1, 4).toString()).toBe('PNG');
      await expect(digest(path.join(second.judged.out('report'), plot))).resolves.toBe(
        await digest(path.join(folder, plot)),
      );
    }
    await expect(readFile(path.join(folder, 'index.html'), 'utf8')).resolves.toContain('<img src="roc.png"');

    // What a live view shows: one value a size, in growing order.
    for (const [index, sizes] of [12, 15, 9].entries()) {
      const events = first.models[index]?.events ?? [];
      const series = events.flatMap((event) => (event.type === 'metric' ? [event] : []));
      expect(series).toHaveLength(sizes);
      expect(series.map((event) => event.index)).toEqual(
        series.map((event) => event.index).sort((a, b) => Number(a) - Number(b)),
      );
      expect(Math.max(...series.map(({ value }) => value))).toBe(first.models[index]?.output?.['auc']);
    }
  });

  test.each(['boosting', 'forest'])(
    'go on with the next size where a training of %s was killed, and come to the same model',
    async (kind) => {
      const { out } = await validated(applications);
      const values = { kind, seed: 7 };
      const folder = await layOutStep({
        folder: path.join(root, String(count++)),
        values,
        artifacts: { table: ['dataset', out('train')] },
      });
      const [, ...args] = renderCommand((train as object as Step)[STEP].spec.command ?? [], values, folder);
      const metrics = async () =>
        (await readFile(path.join(folder, 'events.jsonl'), 'utf8')).match(/"metric"/g)?.length ?? 0;
      await using killed = startProgram(python, args, { cwd: trainerFolder, env: stepEnvironment(folder) });
      await waitFor(async () => (await metrics()) >= 4, {
        what: 'four sizes',
        timeoutMs: 120_000,
        intervalMs: 5,
      });
      killed.kill('SIGKILL');
      await killed.ended;
      const seen = await metrics();

      const whole = await trained(out('train'), kind);
      const rest = await runAsStep([python, ...args], { folder, cwd: trainerFolder });
      const sizes = ({ events }: StepEnd) =>
        events.flatMap((event) => (event.type === 'metric' ? [[event.index, event.value]] : []));
      expect(rest.output).toEqual(whole.output);
      // One size may have been told of and not saved yet: it is computed again.
      expect(sizes(rest).length - sizes(whole).length).toBeLessThanOrEqual(1);
      expect(sizes(rest).slice(seen)).toEqual(sizes(whole).slice(-sizes(rest).slice(seen).length));
      // Not by the bytes of the model: its trees carry padding, which is whatever lay in memory.
      const resumed = path.join(folder, 'out/model');
      const about = (model: string) => readFile(path.join(model, 'model.json'), 'utf8');
      expect(await about(resumed)).toBe(await about(whole.out('model')));
      const judged = async (model: string) => (await evaluated(model, out('test'))).output;
      expect(await judged(resumed)).toEqual(await judged(whole.out('model')));
    },
  );

  test('split by seed: alike shares on both sides, no application on both, whatever the order of the file', async () => {
    const rows = (await readFile(applications, 'utf8')).trim().split('\n');
    const reversed = path.join(root, 'reversed.csv');
    await writeFile(reversed, [rows[0], ...rows.slice(1).reverse()].join('\n'));
    const [first, turned, other] = [
      await validated(applications),
      await validated(reversed),
      await validated(applications, 8),
    ];
    const lines = async (ran: Ran, name: string) =>
      (await readFile(ran.out(name), 'utf8')).trim().split('\n').slice(1).sort();
    const [fit, held] = [await lines(first, 'train'), await lines(first, 'test')];
    expect(first.output?.['counts']).toEqual({ rows: 2380, train: 1595, test: 785 });
    expect(held.filter((row) => fit.includes(row))).toEqual([]);
    expect(await lines(turned, 'test')).toEqual(held);
    expect(await lines(other, 'test')).not.toEqual(held);
    const denied = (part: readonly string[]) =>
      part.filter((row) => row.startsWith('yes')).length / part.length;
    expect(denied(held)).toBeCloseTo(denied(fit), 2);
  });

  test.each<[string, (rows: string[]) => string[] | string, readonly string[]]>([
    [
      'a column is missing',
      (rows) => rows.map((row) => row.split(',').slice(1).join(',')),
      ['columns are missing: deny'],
    ],
    [
      'cells are wrong',
      (rows) => [rows[0] ?? '', 'no,abc,9999,,5,2,maybe,3.9,no,no,no,no,no,yes', ...rows.slice(1)],
      [
        "line 2: `pirat` is 'abc', expected a number from 0 to 10",
        "line 2: `hirat` is '9999'",
        'line 2: `lvrat` is empty',
        "line 2: `phist` is 'maybe', expected yes or no",
      ],
    ],
    ['a line is cut', (rows) => [...rows, 'no,0.2'], ['line 2382: has not the 14 cells of the header']],
    [
      'many lines are wrong',
      (rows) => rows.map((row, i) => (i > 0 && i < 31 ? row.replace(/^\w+/, '') : row)),
      ['and 20 more'],
    ],
    [
      'nobody is denied',
      (rows) => rows.map((row) => row.replace(/^yes/, 'no')),
      ['0.0% of the applications are denied, expected 5% or more of either answer'],
    ],
    ['there are few rows', (rows) => rows.slice(0, 50), ['49 rows are too few']],
    [
      'a group is missing',
      (rows) => rows.filter((row) => row.split(',')[11] !== 'yes'),
      ['`afam` is yes in 0 rows'],
    ],
    ['there is nothing', () => '', ['there are no rows']],
    ['it is no text', () => '\ufffd', ['not a CSV file in UTF-8']],
  ])('refuse data for good when %s', async (name, change, messages) => {
    const rows = (await readFile(applications, 'utf8')).trim().split('\n');
    const changed = change(rows);
    const file = path.join(root, `${name}.csv`);
    await writeFile(file, changed === '\ufffd' ? Buffer.from([0xff, 0xfe, 0]) : [changed].flat().join('\n'));
    const { exitCode, events, output } = await validated(file);
    expect(exitCode).toBe(65);
    expect(output).toBeUndefined();
    const failure = events.find((event) => event.type === 'failure');
    expect(failure).toMatchObject({ retryable: false });
    for (const message of messages) expect(failure?.message).toContain(message);
  });
});

const digests = (models: readonly Ran[]): Promise<readonly string[]> =>
  Promise.all(
    models.flatMap(({ out }) =>
      ['model.joblib', 'model.json'].map((name) => digest(path.join(out('model'), name))),
    ),
  );

const digest = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
