import { createDebugTools } from '../../../debug/index.js';
import type { RunHandle } from '../../../client/index.js';
import { openDebugEnvironment } from '../../../debug/debug-environment.js';
import { buildToKeep } from '../../../debug/replay/build-aside.js';
import { moveRuns } from '../../../debug/replay/move-runs.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { describeWith } from '../../support/describe-with.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace, writeProject } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

/** `train` and `score` change with the build, `clean` does not; `score` fails where its build says so. */
const files = ({ name, fails = false }: { readonly name: string; readonly fails?: boolean }) => ({
  'm.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
const out = z.object({ text: z.string() });
const none = z.object({});
export const clean = step({ name: 'clean', isolation: 'none', input: none, output: out }, () => ({ text: 'clean' }));
export const train = step({ name: 'train', isolation: 'none', input: none, output: out }, () => ({ text: '${name}' }));
export const frail = step({ name: 'frail', isolation: 'none', input: z.object({ works: z.boolean() }), output: out, onFailure: 'park' },
  ({ works }) => {
    if (!works) throw new Error('broken');
    return { text: '${name}' };
  });
export const score = step({ name: 'score', isolation: 'process', input: out, output: out }, ({ text }) => {
  if (${fails}) throw new Error('no score');
  return { text: text + ' ${name}' };
});`,
  'm.pipeline.ts': `
import { approval, pipeline } from 'millrace';
import { z } from 'zod';
import { clean, frail, score, train } from './m.steps.js';
export const talk = pipeline({ name: 'talk', input: z.object({ frail: z.boolean() }) }, async (input) => {
  await clean({});
  const { text } = input.frail ? await frail({ works: false }) : await train({});
  await approval('go');
  await approval('on');
  return (await score({ text })).text;
});`,
});

describeWith({ temporal: true }, 'a run that goes on with other code', () => {
  let millrace: TestMillrace;
  const waiting = (run: RunHandle, gate: string) =>
    waitFor(
      async () => (await run.view()).approvals.some((each) => each.gate === gate && each.status === 'open'),
      {
        what: `the gate ${gate} of ${run.id}`,
      },
    );
  const change = (code: Parameters<typeof files>[0]) => writeProject(millrace.project, files(code));
  const move = async () => {
    await using tools = await createDebugTools({
      config: millrace.config,
      address: millrace.temporal.address,
    });
    return await tools.check({ move: true });
  };
  const deploy = async () => {
    await using host = await millrace.startHost({ build: 'once' });
    return host.build()?.id;
  };
  const approve = async (run: RunHandle, gate: string) => {
    await waiting(run, gate);
    await run.decide(gate, { decision: 'approved' });
  };

  beforeAll(async () => {
    millrace = await startMillrace({
      files: files({ name: 'old' }),
      env: { MILLRACE_EXECUTOR: 'process' },
      build: 'once',
    });
  });

  test('and fails is recovered with the results of its code alone: what other code made before is made anew', async () => {
    await change({ name: 'old' });
    await deploy();
    const run = await millrace.client.start('talk', { frail: false });
    await waiting(run, 'go');
    await change({ name: 'new', fails: true });
    expect((await move()).runs.map(({ verdict }) => verdict)).toEqual(['moved']);
    expect(await deploy()).toBe((await run.view()).run.build);
    await approve(run, 'go');
    await approve(run, 'on');
    await expect(run.result()).rejects.toMatchObject({ code: 'STEP_FAILED' });

    const { plan } = await millrace.client.recover(run.id, { plan: true });
    expect(plan.steps.map(({ path, action }) => [path, action])).toEqual([
      ['clean', 'reuse'],
      ['train', 'run'],
      ['go', 'reuse'],
      ['on', 'reuse'],
      ['score', 'run'],
    ]);
    expect(plan.steps[1]?.why).toMatch(/^(logic|code)/);
    // With the code that made it, it is taken.
    await change({ name: 'old' });
    await deploy();
    const { plan: back } = await millrace.client.recover(run.id, { plan: true });
    expect(back.steps.find(({ path }) => path === 'train')?.action).toBe('reuse');
    // The run itself decides the same.
    await change({ name: 'new' });
    await deploy();
    const recovered = await millrace.client.recover(run.id);
    expect(await recovered.run?.result()).toBe('new new');
    const made = (await recovered.run?.view())?.steps.map(({ path, reused }) => [path, reused !== undefined]);
    expect(made).toContainEqual(['clean', true]);
    expect(made).toContainEqual(['train', false]);
  });

  test('keeps a step that was repaired before as that of the code it had then', async () => {
    await change({ name: 'old' });
    const home = await deploy();
    const run = await millrace.client.start('talk', { frail: true });
    await waitFor(async () => (await run.view()).steps.some(({ status }) => status === 'parked'), { what: 'the parked step' }); // prettier-ignore
    await run.repair('frail', { do: 'retry', by: 'ada' });
    await waitFor(async () => (await run.view()).steps.some(({ status, attempts }) => status === 'parked' && attempts.length === 2), { what: 'the parked step' }); // prettier-ignore
    await change({ name: 'new' });
    const { build, runs } = await move();
    expect(runs.map(({ verdict }) => verdict)).toEqual(['moved']);
    await run.repair('frail', { do: 'retry', input: { works: true }, by: 'ada' });
    await waiting(run, 'go');
    await using catalog = await openCatalog(millrace.config.catalog);
    // What was repaired at first is of the old code, and so is what follows from it.
    expect((await catalog.attempts(run.id, 'frail')).map((row) => row.build)).toEqual([home, home, home]);
    await approve(run, 'go');
    await approve(run, 'on');
    expect(await run.result()).toBe('old new');
    expect((await catalog.attempts(run.id, 'score')).map((row) => row.build)).toEqual([build]);
  });

  test('can go back to the code that it began with, though it went on with other code meanwhile', async () => {
    await change({ name: 'old' });
    const home = await deploy();
    const run = await millrace.client.start('talk', { frail: false });
    await waiting(run, 'go');
    await change({ name: 'new' });
    const { build } = await move();
    await approve(run, 'go');
    await waiting(run, 'on');
    await change({ name: 'old' });
    const back = await move();
    expect(back).toMatchObject({ build: home, runs: [{ verdict: 'moved' }] });
    expect((await run.view()).run.build).toBe(home);
    await approve(run, 'on');
    expect(await run.result()).toBe('old old');
    expect((await run.why()).map(({ kind, text }) => (kind === 'moved' ? text : '')).filter(Boolean)).toEqual(
      [
        `goes on with the code of build ${build} instead of ${home}`,
        `goes on with the code of build ${home} instead of ${build}`,
      ],
    );
  });

  test('is served though the catalog failed after it was pinned', async () => {
    await change({ name: 'old' });
    const home = await deploy();
    const run = await millrace.client.start('talk', { frail: false });
    await waiting(run, 'go');
    await change({ name: 'new' });
    await using env = await openDebugEnvironment(millrace.config, millrace.temporal.address);
    await using build = await buildToKeep(env);
    const catalog = { ...env.catalog, run: () => Promise.reject(new Error('disk full')) };
    const moving = moveRuns([(await run.view()).run], { build, env: { ...env, catalog } });
    await expect(moving[Symbol.asyncIterator]().next()).rejects.toThrow('disk full');
    expect(await env.catalog.moves.of(run.id)).toMatchObject({ home, build: build.record.id });
    await approve(run, 'go');
    await approve(run, 'on');
    expect(await run.result()).toBe('old new');
  });

  test('keeps the note of who moves it at the same time and comes later', async () => {
    const run = await millrace.client.start('talk', { frail: false });
    await waiting(run, 'go');
    await millrace.host.stop();
    await change({ name: 'third' });
    await using env = await openDebugEnvironment(millrace.config, millrace.temporal.address);
    await using build = await buildToKeep(env);
    const moves = moveRuns([(await run.view()).run], { build, env, withinMs: 2_000 });
    const moving = moves[Symbol.asyncIterator]().next();
    await waitFor(async () => (await env.catalog.moves.of(run.id)) !== undefined, { what: 'the first note' });
    const { home } = (await env.catalog.moves.of(run.id))!;
    const later = { run: run.id, home, build: home, at: new Date().toISOString() };
    await env.catalog.moves.begin((await env.catalog.build(home))!, [later]);
    expect((await moving).value).toMatchObject([run.id, { moved: false }]);
    expect(await env.catalog.moves.of(run.id)).toEqual(later);
  });
});
