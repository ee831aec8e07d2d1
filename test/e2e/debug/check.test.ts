import type { CheckReport, DebugTools } from '../../../debug/index.js';
import { openDebugEnvironment } from '../../../debug/debug-environment.js';
import { buildToKeep } from '../../../debug/replay/build-aside.js';
import { moveRuns } from '../../../debug/replay/move-runs.js';
import { openCatalog } from '../../../store/open-catalog.js';
import type { WorkerHost } from '../../../workers/worker-host.js';
import { createDebugTools } from '../../../debug/index.js';
import type { RunHandle } from '../../../client/index.js';
import { describeWith } from '../../support/describe-with.js';
import { runCli } from '../../support/run-cli.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace, writeProject } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const steps = (answer: string) => `
import { step } from 'millrace';
import { z } from 'zod';
const out = z.object({ text: z.string() });
export const before = step({ name: 'before', isolation: 'none', input: z.object({}), output: out }, () => ({ text: '${answer}' }));
export const middle = step({ name: 'middle', isolation: 'none', input: z.object({}), output: out }, () => ({ text: '${answer}' }));
export const after = step({ name: 'after', isolation: 'process', input: z.object({}), output: out }, () => ({ text: '${answer}' }));`;
/** Runs of \`long\` have called \`middle\`, those of \`short\` have not. */
const pipeline = (long: string, last = '') => `
import { approval, pipeline } from 'millrace';
import { z } from 'zod';
import { after, before, middle } from './c.steps.js';
export const last = pipeline({ name: 'last', input: z.object({}) }, async () => (await after({})).text);
export const talk = pipeline({ name: 'talk', input: z.object({ long: z.boolean() }) }, async ({ long }) => {
  const said = [(await before({})).text];
  if (long) { ${long} }
  await approval('go');
  return [...said, (await after({})).text, await last({})${last}];
});`;
const call = 'said.push((await middle({})).text);';

describeWith({ temporal: true }, 'checking open runs before a deploy', () => {
  let millrace: TestMillrace;
  const hosts: WorkerHost[] = [];
  const cli = (...args: readonly string[]) =>
    runCli(args, {
      cwd: millrace.project,
      env: { MILLRACE_QUEUE: millrace.config.queue, TEMPORAL_ADDRESS: millrace.temporal.address },
    });
  const atGate = async (long: boolean): Promise<RunHandle> => {
    const run = await millrace.client.start('talk', { long });
    await waitFor(async () => (await run.view()).approvals.length > 0, { what: 'the open gate' });
    return run;
  };
  const change = (answer: string, long: string, last?: string) =>
    writeProject(millrace.project, { 'c.steps.ts': steps(answer), 'c.pipeline.ts': pipeline(long, last) });
  const check = async (...flags: readonly string[]) => {
    const { exitCode, stdout, stderr } = await cli('check', '--json', ...flags);
    const report = JSON.parse(stdout.trim().split('\n').at(-1)!) as CheckReport;
    return {
      exitCode,
      report,
      said: stderr,
      verdicts: Object.fromEntries(report.runs.map(({ run, verdict }) => [run, verdict])),
    };
  };

  beforeAll(async () => {
    millrace = await startMillrace({
      files: { 'c.steps.ts': steps('old'), 'c.pipeline.ts': pipeline(call) },
      env: { MILLRACE_EXECUTOR: 'process' },
    });
  });

  test('says which open runs would go on with the new code and which would break, and where; and publishes nothing', async () => {
    expect((await cli('check')).stdout).toMatch(
      /^No run is open: nothing holds build [0-9a-f]{16} back\.\n$/,
    );
    const [short, long] = [await atGate(false), await atGate(true)];
    // In this process, which made the build: the package's own is another one.
    await using tools = await createDebugTools({
      config: millrace.config,
      address: millrace.temporal.address,
    });
    expect(await tools.check()).toMatchObject({
      ok: true,
      build: (await millrace.client.currentBuild()).id,
      runs: [short, long].map(({ id }) => ({ run: id, verdict: 'same' })),
    });

    const current = await millrace.client.currentBuild();
    await change('new', '');
    const { exitCode, report, said, verdicts } = await check();
    expect({ exitCode, verdicts }).toEqual({
      exitCode: 1,
      verdicts: { [short.id]: 'clean', [long.id]: 'breaks' },
    });
    expect(report.ok).toBe(false);
    expect(report.build).not.toBe(current.id);
    expect(report.runs[1]?.divergence).toMatchObject({
      step: 'middle',
      what: expect.stringMatching(/the history has step `middle`; the code /),
    });
    expect(said).toMatch(
      /Build [0-9a-f]{16}, 2 open runs: 1 would go on with it, 1 would break on it and stay on theirs\.\n$/,
    );
    expect(await millrace.client.currentBuild()).toEqual(current);

    for (const run of [short, long]) {
      await run.decide('go', { decision: 'approved' });
      await run.result();
    }
    expect(await check()).toMatchObject({ exitCode: 0, report: { ok: true, runs: [] } });
  });

  const withTools = async <T>(use: (tools: DebugTools) => Promise<T>): Promise<T> => {
    await using tools = await createDebugTools({
      config: millrace.config,
      address: millrace.temporal.address,
    });
    return await use(tools);
  };
  const finish = async (run: RunHandle) => {
    await run.decide('go', { decision: 'approved' });
    return run.result();
  };

  test('--move: a run that replays goes on with the new code, its child runs too, by any worker; the others end on theirs', async () => {
    await change('old', call);
    const [short, long] = [await atGate(false), await atGate(true)];
    const before = (await short.view()).run.build;
    await change('new', '', ", 'more'");
    const { build, runs } = await withTools((tools) => tools.check({ move: true }));
    expect(runs.map(({ run, verdict }) => [run, verdict])).toEqual([
      [short.id, 'moved'],
      [long.id, 'breaks'],
    ]);
    expect(build).not.toBe(before);
    expect((await short.view()).run.build).toBe(build);
    expect((await long.view()).run.build).toBe(before);
    // It is no deploy: new runs start where they did.
    expect((await millrace.client.currentBuild()).id).toBe(before);

    // Another worker, which has seen nothing of it.
    await millrace.host.stop();
    const host = await millrace.startHost({ build: 'none' });
    expect(await finish(short)).toEqual(['old', 'new', 'new', 'more']);
    expect(await finish(long)).toEqual(['old', 'old', 'old', 'old']);
    const view = await short.view();
    expect(view.steps.find(({ path }) => path === 'last')?.child?.run).toMatchObject({
      build,
      status: 'completed',
    });
    await using catalog = await openCatalog(millrace.config.catalog);
    expect(await catalog.timeline(short.id, '')).toContainEqual(
      expect.objectContaining({
        kind: 'moved',
        text: `goes on with the code of build ${build} instead of ${before}`,
      }),
    );
    expect(await catalog.moves.open(millrace.config.queue)).toEqual([]);

    // What ran before was the old code, and can be tried as that.
    await withTools(async (tools) => {
      for (const step of ['before', 'after', 'last/after'])
        expect(await tools.command({ run: short.id, step })).toMatchObject({ outputs: [{ same: true }] });
    });
    hosts.push(host);
  });

  test('a run is moved on again, and one that was to be moved while it went on and does not fit any more goes back', async () => {
    const before = (await millrace.client.currentBuild()).id;
    const [moved, unfit] = [await atGate(false), await atGate(true)];
    await change('second', call);
    const second = await withTools((tools) => tools.check({ move: true }));
    expect(second.runs.map(({ verdict }) => verdict)).toEqual(['moved', 'moved']);
    await change('third', '');
    const third = await withTools((tools) => tools.check({ move: true }));
    expect(third.runs.map(({ verdict }) => verdict)).toEqual(['moved', 'breaks']);
    expect(third.runs.map(({ build }) => build)).toEqual([second.build, second.build]);

    // As if it had gone on between the check and the move.
    await using env = await openDebugEnvironment(millrace.config, millrace.temporal.address);
    await using build = await buildToKeep(env);
    const ends = [];
    for await (const each of moveRuns([(await unfit.view()).run], { build, env })) ends.push(each);
    expect(ends[0]).toEqual([
      unfit.id,
      {
        moved: false,
        reason: expect.stringMatching(/went on meanwhile/),
        divergence: expect.objectContaining({ step: 'middle' }),
      },
    ]);
    expect((await unfit.view()).run.build).toBe(second.build);
    expect(await env.catalog.moves.of(unfit.id)).toMatchObject({ home: before, build: second.build });
    expect(await finish(moved)).toEqual([expect.any(String), 'third', 'third']);
    expect(await finish(unfit)).toEqual([expect.any(String), expect.any(String), 'second', 'second']);
  });

  test('at the command line', async () => {
    const run = await atGate(false);
    await change('said', call);
    const { exitCode, stdout } = await cli('check', '--move');
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(
        /^moved {4}talk-\S+ {2}talk, \d+ events\nBuild [0-9a-f]{16}, 1 open run: 1 moved to it\.\n$/,
      ),
    });
    expect(await finish(run)).toEqual([expect.any(String), 'said', 'said']);
  });

  test('without a worker that serves the new code a run stays, and nothing is left of the try', async () => {
    const run = await atGate(false);
    await millrace.host.stop();
    await Promise.all(hosts.map((host) => host.stop()));
    await change('fourth', call);
    const { runs } = await withTools((tools) => tools.check({ move: true, withinMs: 1_500 }));
    expect(runs).toMatchObject([
      { run: run.id, verdict: 'stays', reason: expect.stringMatching(/^No worker serves/) },
    ]);
    await using catalog = await openCatalog(millrace.config.catalog);
    expect(await catalog.moves.of(run.id)).toBeUndefined();
    await millrace.startHost({ build: 'none' });
    expect(await finish(run)).not.toContain('fourth');
  });
});
