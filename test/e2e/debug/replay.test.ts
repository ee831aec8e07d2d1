import { spawn } from 'node:child_process';
import { freePort } from '../../support/free-port.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { runCli, startCli } from '../../support/run-cli.js';
import { describeWith } from '../../support/describe-with.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace, writeProject } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const steps = `
import { step } from 'millrace';
import { z } from 'zod';
const none = z.object({});
const large = z.object({ text: z.string() });
export const first = step({ name: 'first', isolation: 'none', input: none, output: large }, () => ({ text: 'x'.repeat(200_000) }));
export const second = step({ name: 'second', isolation: 'none', input: large, output: none }, () => ({}));
export const third = step({ name: 'third', isolation: 'none', input: none, output: none }, () => ({}));`;
const pipeline = (calls: string) => `
import { approval, pipeline } from 'millrace';
import { z } from 'zod';
import { first, second, third } from './r.steps.js';
export const child = pipeline({ name: 'child', input: z.object({}) }, async () => { await third({}); });
export const all = pipeline({ name: 'all', input: z.object({}) }, async () => { ${calls} });`;
const calls =
  "const made = await first({}); await second(made); await child({}); await approval('go'); await third({});";

describeWith({ temporal: true }, 'replaying a run on the code of today', () => {
  let millrace: TestMillrace;
  let run: string;
  const cli = () => ({
    cwd: millrace.project,
    env: { MILLRACE_QUEUE: millrace.config.queue, TEMPORAL_ADDRESS: millrace.temporal.address },
  });
  const change = (to: string, steps_ = steps) =>
    writeProject(millrace.project, { 'r.pipeline.ts': pipeline(to), 'r.steps.ts': steps_ });

  beforeAll(async () => {
    millrace = await startMillrace({ files: { 'r.steps.ts': steps, 'r.pipeline.ts': pipeline(calls) } });
    const started = await millrace.client.start('all', {});
    await waitFor(async () => (await started.view()).approvals.length > 0, { what: 'the open gate' });
    run = started.id;
  });

  test('an open run replays, values that lie in the store and child runs too, and on changed steps and later calls', async () => {
    const same = await runCli(['replay', run, '--json'], cli());
    expect(same).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(same.stdout)).toMatchObject({
      ok: true,
      runs: [
        { run, pipeline: 'all' },
        { run: `${run}.child`, pipeline: 'child' },
      ],
    });
    await change(
      calls.replace('await third({});', 'await second(made);'),
      steps.replace('200_000', '300_000'),
    );
    const { exitCode, stdout } = await runCli(['replay', 'last'], cli());
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(
        /^replays {2}\S+ {2}all, \d+ events\nreplays {2}\S+\.child {2}child, \d+ events\n$/,
      ),
    });
  });

  test('where code and history part it says the event, the step and what the code asks for, and ends with 1', async () => {
    await change(calls.replace('await second(made);', 'await third({}); await second(made);'));
    const { exitCode, stdout, stderr } = await runCli(['replay', run], cli());
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /^breaks {3}\S+ {2}all\n {2}At event \d+ the history has step `second`; the code calls step `third`\.\n {2}step second, event \d+ ActivityTaskScheduled of \d\d:\d\d:\d\d\n {2}Temporal says: Activity id of scheduled event 'second' /,
    );
    expect(stdout).toMatch(/\nreplays {2}\S+\.child/);
    expect(stderr).toBe('');
    expect((await millrace.client.run(run).view()).run.failure).toBeUndefined();
  });

  test('a pipeline that is gone, a project that does not build and a run that is not there are told apart', async () => {
    await writeProject(millrace.project, {
      'r.pipeline.ts': pipeline(calls).replace("name: 'all'", "name: 'other'"),
    });
    const gone = await runCli(['replay', run], cli());
    expect(gone).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/The build [0-9a-f]{16} has no pipeline `all`\./),
    });
    await writeProject(millrace.project, { 'r.pipeline.ts': 'export const broken = ;' });
    expect(await runCli(['replay', run], cli())).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('BUILD_FAILED'),
    });
    await change(calls);
    expect(await runCli(['replay', 'nothing'], cli())).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('UNKNOWN_RUN'),
    });
  });

  test('a debugger is waited for, and the replay goes on when it lets it', async () => {
    await change(calls);
    const port = await freePort();
    await using replay = await startCli(['replay', run, '--inspect', `127.0.0.1:${port}`], cli());
    await waitFor(() => replay.stderr().includes(`node inspect 127.0.0.1:${port}`), {
      what: 'the inspector',
    });
    expect(replay.stdout()).toBe('');
    const debug = spawn(process.execPath, ['inspect', `127.0.0.1:${port}`], { stdio: 'pipe' });
    releaseAtEnd(() => debug.kill('SIGKILL'));
    let said = '';
    debug.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    await waitFor(() => said.includes('break in'), { what: 'the debugger to stop the replay' });
    expect(said).toContain('debugger;');
    debug.stdin.write('cont\n');
    await waitFor(() => replay.stdout().includes('replays'), { what: 'the replay' });
    debug.kill('SIGKILL');
    expect((await replay.ended).exitCode).toBe(0);
  });
});
