import { findNode } from '../../../lineage/find-node.js';
import type { LineageGraph } from '../../../lineage/graph.js';
import type { TraceOptions } from '../../../lineage/trace-lineage.js';
import { traceLineage } from '../../../lineage/trace-lineage.js';
import type { Catalog } from '../../../store/catalog.js';
import { newCatalog } from '../client/catalog.js';
import { aBuild, anAttempt, aRef, aRun, at, digest } from '../store/records.js';
import { call, csv, recordScenario, report, scores, table, weights } from './scenario.js';

describe('lineage', () => {
  let catalog: Catalog;
  beforeEach(async () => {
    catalog = await newCatalog();
    await recordScenario(catalog);
  });
  const trace = async (what: string, options: Partial<TraceOptions> = {}) =>
    traceLineage(await findNode(what, catalog), { catalog, ...options });
  const ids = ({ nodes }: LineageGraph) => nodes.map(({ id }) => id).sort();
  const links = ({ edges }: LineageGraph) => edges.map(({ from, to, relation }) => `${from} ${relation} ${to}`).sort(); // prettier-ignore

  test('of an alias names the data, code, image, parameters, gates and approvals that made it', async () => {
    const graph = await trace('mortgage@champion');
    expect(graph).toMatchObject({ root: 'alias:mortgage@champion', direction: 'up', cut: {}, notes: [] });
    expect(links(graph)).toEqual(
      [
        'version:mortgage@1 named alias:mortgage@champion',
        `${weights.digest} registered version:mortgage@1`,
        `${report.digest} evidence version:mortgage@1`,
        'gate:run-1/quality judged version:mortgage@1',
        'approval:run-1/release decided version:mortgage@1',
        `${report.digest} evidence gate:run-1/quality`,
        `${report.digest} evidence approval:run-1/release`,
        `step:run-1/train made ${weights.digest}`,
        `step:run-1/evaluate made ${report.digest}`,
        `${weights.digest} read step:run-1/evaluate`,
        `${table.digest} read step:run-1/evaluate`,
        `${table.digest} read step:run-1/train`,
        `step:run-1/validate made ${table.digest}`,
        `${csv.digest} read step:run-1/validate`,
        `upload:${csv.digest} uploaded ${csv.digest}`,
      ].sort(),
    );
    expect(graph.nodes.find(({ id }) => id === 'step:run-1/train')).toEqual({
      kind: 'step', id: 'step:run-1/train', run: 'run-1', path: 'train', name: 'train', step: 'step', status: 'completed', at: at(3),
      attempt: 1, executor: 'docker', image: digest('d'), imageReference: 'python:3.12-slim', source: digest('b'),
      command: ['python', 'train.py'], parameters: { trees: 100 },
    }); // prettier-ignore
    expect(graph.nodes.find(({ kind }) => kind === 'approval')).toMatchObject({ by: 'ada', reason: 'looks "good"', status: 'approved', at: at(9) }); // prettier-ignore
    expect(graph.nodes.find(({ kind }) => kind === 'upload')).toMatchObject({ runs: ['run-1'] });
  });

  test('names the code that made it, though the run was moved to other code afterwards', async () => {
    const next = aBuild({ id: 'next', steps: [{ name: 'train', source: { digest: digest('f') } }] as never });
    await catalog.moves.begin(next, [{ run: 'run-1', home: 'build-1', build: 'next', at: at(5) }]);
    await catalog.updateRun({ id: 'run-1', build: 'next' });
    const trained = async () =>
      (await trace('mortgage@champion')).nodes.find(({ id }) => id === 'step:run-1/train');
    expect(await trained()).not.toHaveProperty('source');
    await catalog.project({ attempts: [anAttempt({ status: 'completed', build: 'build-1' })] });
    expect(await trained()).toMatchObject({ source: digest('b'), command: ['python', 'train.py'] });
  });

  test('downwards names all that was made from an artifact, across runs', async () => {
    const graph = await trace(csv.digest, { direction: 'down' });
    expect(ids(graph)).toEqual(
      [
        csv.digest, 'step:run-1/validate', table.digest, 'step:run-1/train', 'step:run-1/evaluate', weights.digest, report.digest,
        'version:mortgage@1', 'alias:mortgage@champion', 'approval:run-1/release', 'gate:run-1/quality', 'step:run-2/score', scores.digest,
      ].sort(),
    ); // prettier-ignore
    expect(links(graph)).toContain(`${weights.digest} read step:run-2/score`);
  });

  test('goes on into the run that made what another run was given', async () => {
    expect(ids(await trace(scores.digest))).toContain(csv.digest);
  });

  test('of a run begins with its steps', async () => {
    expect(links(await trace('run-2', { direction: 'down' }))).toEqual(
      [`run:run-2 ran step:run-2/score`, `step:run-2/score made ${scores.digest}`].sort(),
    );
  });

  test('is found by version, by the beginning of a digest, and says what else there is', async () => {
    expect((await findNode('mortgage@1', catalog)).id).toBe('version:mortgage@1');
    expect((await findNode('3'.repeat(8), catalog)).id).toBe(weights.digest);
    expect((await findNode(`sha256:${'1'.repeat(6)}`, catalog)).id).toBe(csv.digest);
    await call(catalog, { run: 'run-2', path: 'x', makes: [aRef({ digest: `sha256:${'3'.repeat(63)}4` })] });
    const message = (text: string) => findNode(text, catalog).then(() => '', (error: Error) => error.message); // prettier-ignore
    expect(await message('33333333')).toContain('Several artifacts begin with `33333333`');
    expect(await message('mortgage@7')).toMatch(/no alias and no version `7`.*Its versions: 1; its aliases: champion/); // prettier-ignore
    expect(await message('nothing@1')).toContain('There is no model `nothing`');
    expect(await message('sha256:ffffff')).toContain('No run read or made');
    expect(await message('ffffff')).toContain('There is no run `ffffff`');
  });

  test('of content that only a run was given, or that lies inside a list of its input', async () => {
    const given = aRef({ digest: digest('8'), name: 'unused' });
    await catalog.insertRun(aRun({ id: 'run-3', input: { many: [given] } }));
    const graph = await trace('88888888');
    expect(graph.nodes).toMatchObject([{ name: 'unused' }, { kind: 'upload', runs: ['run-3'] }]);
  });

  test('of bytes that many runs made prefers the run it came through, and else says how many others there are', async () => {
    for (let index = 10; index < 30; index += 1)
      await call(catalog, { run: `run-${index}`, path: 'validate', reads: [csv], makes: [table], second: 1 });
    for (let index = 10; index < 30; index += 1) await catalog.insertRun(aRun({ id: `run-${index}` }));
    const makers = (graph: LineageGraph) =>
      links(graph).filter((link) => link.endsWith(`made ${table.digest}`));
    expect(makers(await trace('mortgage@champion'))).toEqual([`step:run-1/validate made ${table.digest}`]);
    const graph = await trace(table.digest);
    expect(makers(graph)).toHaveLength(3);
    expect(graph.cut).toEqual({ [table.digest]: 18 });
    expect(graph.notes).toEqual(['Of 1 with many neighbours only some of these are shown.']);
  });

  test('of an answer from the cache leads to the step that computed it', async () => {
    await catalog.insertRun(aRun({ id: 'run-3', startedAt: at(30) }));
    await call(catalog, { run: 'run-3', path: 'train', reads: [table], makes: [weights], second: 31 });
    const use = { key: digest('7'), parts: {}, step: 'train', pipeline: 'mortgage', at: at(31) };
    const from = { run: 'run-1', path: 'train' };
    await catalog.project({ cacheUses: [{ run: 'run-3', path: 'train', ...use, outcome: 'hit', from }] });
    expect(links(await trace('run-3'))).toEqual(
      expect.arrayContaining([
        'step:run-3/train ran run:run-3',
        'step:run-1/train reused step:run-3/train',
        `${table.digest} read step:run-3/train`,
        `${table.digest} read step:run-1/train`,
      ]),
    );
  });

  test('in a circle ends: a step that hands its input on did not make it', async () => {
    await call(catalog, { run: 'run-1', path: 'check', reads: [csv], makes: [csv], second: 2 });
    const up = await trace(csv.digest);
    expect(links(up)).toEqual(
      [
        `${csv.digest} read step:run-1/check`,
        `step:run-1/check made ${csv.digest}`,
        `upload:${csv.digest} uploaded ${csv.digest}`,
      ].sort(),
    );
    expect(ids(await trace(csv.digest, { direction: 'down' }))).toContain(scores.digest);
  });

  test('goes only as far, and shows only as much, as asked, and says that there is more', async () => {
    const near = await trace('mortgage@champion', { depth: 1 });
    expect(ids(near)).toContain('step:run-1/train');
    expect(ids(near)).not.toContain('step:run-1/validate');
    expect(near.notes).toEqual(['Only 1 step far: there is more.']);
    const few = await trace('mortgage@champion', { limit: 4 });
    expect(few.nodes).toHaveLength(4);
    for (const { from, to } of few.edges) expect(ids(few)).toEqual(expect.arrayContaining([from, to]));
    expect(few.notes).toEqual(['Only the nearest 4 are shown: there is more.']);
  });

  test('of a chain and a fan of thousands ends with a note', async () => {
    const link = (index: number) =>
      aRef({ digest: `sha256:${index.toString(16).padStart(64, '0')}`, name: `n${index}` });
    const steps = Array.from({ length: 2_000 }, (_, index) => index);
    await catalog.insertRun(aRun({ id: 'long' }));
    await catalog.project({
      steps: steps.map((index) => ({ run: 'long', path: `s#${index}`, name: 's', kind: 'step', status: 'completed', scheduledAt: at(index) })),
      artifacts: steps.flatMap((index) => [
        { run: 'long', path: `s#${index}`, direction: 'input', field: 'in', artifact: link(index), at: at(index) },
        { run: 'long', path: `s#${index}`, direction: 'output', field: 'out', artifact: link(index + 1), at: at(index) },
        { run: 'long', path: `s#${index}`, direction: 'input', field: 'all', artifact: csv, at: at(index) },
      ]),
    }); // prettier-ignore
    const chain = await trace(link(2_000).digest);
    expect(chain.nodes).toHaveLength(500);
    expect(chain.notes).toEqual(['Only the nearest 500 are shown: there is more.']);
    const fan = await trace(csv.digest, { direction: 'down', depth: 1 });
    expect(fan.cut).toEqual({ [csv.digest]: 1_951 });
  });
});
