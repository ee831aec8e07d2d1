import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LineageGraph } from '../../../lineage/graph.js';
import { describeWith } from '../../support/describe-with.js';
import { runCli } from '../../support/run-cli.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'train.py': 'print("trained")\n',
  'm.steps.ts': `
import { cp, readFile, writeFile } from 'node:fs/promises';
import { dataset, model, report, step } from 'millrace';
import { z } from 'zod';
export const validate = step({ name: 'validate', isolation: 'process', input: z.object({ csv: dataset() }), output: z.object({ table: dataset(), rows: z.number() }) },
  async ({ csv }, { out }) => { await cp(csv.path, out.table); await writeFile(out.table, 'checked ' + await readFile(csv.path, 'utf8')); return { rows: 2 }; });
export const train = step({ name: 'train', isolation: 'process', input: z.object({ table: dataset(), trees: z.number() }), output: z.object({ model: model() }) },
  async ({ table, trees }, { out, metric }) => { metric('auc', 0.8 + trees / 1000); await writeFile(out.model, trees + (await readFile(table.path, 'utf8'))); return {}; });
export const evaluate = step({ name: 'evaluate', isolation: 'process', input: z.object({ model: model(), table: dataset() }), output: z.object({ report: report(), auc: z.number() }) },
  async ({ model: made }, { out }) => { await writeFile(out.report, 'fine: ' + (await readFile(made.path, 'utf8'))); return { auc: 0.81 }; });
export const score = step({ name: 'score', isolation: 'process', input: z.object({ model: model() }), output: z.object({ scores: dataset() }) },
  async ({ model: made }, { out }) => { await writeFile(out.scores, 'scored by ' + (await readFile(made.path, 'utf8'))); return {}; });`,
  'm.pipeline.ts': `
import { approval, atLeast, dataset, gate, model, pipeline, promote, register } from 'millrace';
import { z } from 'zod';
import { evaluate, score, train, validate } from './m.steps.js';
export const mortgage = pipeline({ name: 'mortgage', input: z.object({ csv: dataset(), trees: z.number() }) }, async ({ csv, trees }) => {
  const { table } = await validate({ csv });
  const [first, second] = await Promise.all([train({ table, trees }), train({ table, trees: trees + 1 })]);
  const { report, auc } = await evaluate({ model: second.model, table });
  await gate('quality', { auc: atLeast(auc, 0.75) }, { evidence: { report } });
  const candidate = await register('mortgage', { model: second.model, metrics: { auc }, evidence: { report } });
  await approval('release', { of: candidate, evidence: { report } });
  await promote(candidate);
  return { first: first.model };
});
export const scoring = pipeline({ name: 'scoring', input: z.object({ model: model() }) }, async (input) => (await score(input)).scores);`,
};

describeWith({ temporal: true }, 'lineage of real runs', () => {
  let millrace: TestMillrace;
  let run: string;
  let csv: string;
  beforeAll(async () => {
    millrace = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process' } });
    const table = path.join(millrace.project, 'hmda.csv');
    await writeFile(table, 'a,b\n1,2\n');
    const uploaded = await millrace.client.upload(table);
    csv = uploaded.digest;
    const started = await millrace.client.start('mortgage', { csv: uploaded, trees: 100 });
    run = started.id;
    await waitFor(async () => (await started.view()).approvals.length > 0, { what: 'the question' });
    await started.decide('release', { decision: 'approved', by: 'ada', reason: 'numbers hold' });
    await started.result();
  });
  const cli = (...args: readonly string[]) =>
    runCli([...args, '--cwd', millrace.project], {
      env: { MILLRACE_QUEUE: millrace.config.queue, TEMPORAL_ADDRESS: millrace.temporal.address },
    });
  const names = ({ nodes }: LineageGraph) =>
    nodes.map((node) => (node.kind === 'step' ? node.path : node.kind === 'artifact' ? node.name : node.kind)).sort(); // prettier-ignore

  test('a champion leads back to the data, code, parameters, gate and approval that made it, and to nothing else', async () => {
    const graph = await millrace.client.lineage('mortgage@champion');
    expect(names(graph)).toEqual(
      ['alias', 'version', 'gate', 'approval', 'upload', 'hmda.csv', 'validate', 'table', 'train#2', 'model', 'evaluate', 'report'].sort(),
    ); // prettier-ignore
    const step = graph.nodes.find((node) => node.kind === 'step' && node.path === 'train#2');
    expect(step).toMatchObject({ run, attempt: 1, executor: 'process', parameters: { trees: 101 }, code: expect.stringMatching(/^sha256:/) }); // prettier-ignore
    expect(graph.nodes.find(({ kind }) => kind === 'approval')).toMatchObject({ by: 'ada', reason: 'numbers hold', status: 'approved' }); // prettier-ignore
    expect(graph.nodes.find(({ kind }) => kind === 'upload')).toMatchObject({ digest: csv, runs: [run] });
  });

  test('data leads on to all that was made from it, in other runs too', async () => {
    const version = (await millrace.client.model('mortgage')).versions[0]!;
    const scored = await millrace.client.start('scoring', { model: version.model });
    const { digest } = (await scored.result()) as { digest: string };
    const down = await millrace.client.lineage(csv, { direction: 'down' });
    expect(names(down)).toEqual(
      expect.arrayContaining(['train', 'train#2', 'version', 'alias', 'score', 'scores']),
    );
    expect(names(await millrace.client.lineage(digest))).toEqual(expect.arrayContaining(['hmda.csv', 'train#2', 'score'])); // prettier-ignore
  });

  test('the command shows it as a tree, as JSON, for Graphviz and Mermaid, and says what it cannot find', async () => {
    const tree = await cli('lineage', 'mortgage@champion');
    expect(tree.stderr).toBe('');
    expect(tree.stdout).toMatch(
      /^mortgage@champion {2}version 1 since .*\n└─ mortgage version 1 .*auc=0\.81\n/,
    );
    expect(tree.stdout).toMatch(/approval release: approved {2}by ada, .*"numbers hold"/);
    expect(tree.stdout).toMatch(/dataset hmda\.csv {2}csv .*\n.*└─ uploaded {2}given to mortgage-/);
    const json = await cli('lineage', csv.slice(7, 19), '--down', '--json');
    expect(names(JSON.parse(json.stdout) as LineageGraph)).toContain('version');
    expect((await cli('lineage', 'last', '--dot')).stdout).toMatch(/^digraph lineage \{\n[^]*\n\}\n$/);
    expect((await cli('lineage', run.slice(0, -2), '--mermaid')).stdout).toMatch(/^flowchart LR\n/);
    const lost = await cli('lineage', 'mortgage@champ');
    expect(lost).toMatchObject({ exitCode: 2, stdout: '' });
    expect(lost.stderr).toContain('its aliases: champion');
  });

  test('two runs are compared, and a run is shown with what went in and came out', async () => {
    const again = await millrace.client.start('mortgage', { csv: (await millrace.client.run(run).view()).run.input!['csv' as never], trees: 200 }); // prettier-ignore
    await waitFor(async () => (await again.view()).approvals.length > 0, { what: 'the question' });
    await again.decide('release', { decision: 'rejected', by: 'bob', reason: 'no' });
    await expect(again.result()).rejects.toMatchObject({ code: 'APPROVAL_REJECTED' });
    const diff = await cli('runs', 'diff', run, again.id);
    expect(diff.stderr).toBe('');
    expect(diff.stdout).toMatch(/input +trees +100 +200/);
    expect(diff.stdout).toMatch(/train +parameter +trees +100 +200/);
    expect(diff.stdout).toMatch(/train +metric +auc +0\.9 +1\n/);
    expect(diff.stdout).toMatch(/train +made +model +sha256:\w{12} +sha256:\w{12}/);
    expect(diff.stdout).not.toMatch(/validate +(read|made|code|parameter)/);
    expect((await cli('runs', '--json')).stdout).toContain(again.id);
    const io = await cli('show', run, '--io');
    expect(io.stdout).toMatch(/train +\d.*\n.*← table: dataset table \(\d+ B, sha256:\w{12}\)\n.*← trees: 100\n.*→ model: model model/);
    const step = await cli('show', run, 'train#2');
    expect(step.stdout).toMatch(/^train#2 .*completed/);
    expect(step.stdout).toContain('"trees": 101');
    expect((await cli('show', run, 'nothing')).stderr).toContain('It has: validate, train, train#2');
  }); // prettier-ignore
});
