import { createServer } from 'node:net';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describeWith } from '../../support/describe-with.js';
import { freePort } from '../../support/free-port.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { runCli, startCli } from '../../support/run-cli.js';
import { writeProject } from '../../support/start-millrace.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'package.json': '{"name":"commands","type":"module"}',
  'c.steps.ts': `
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { dataset, model, step } from 'millrace';
import { z } from 'zod';
export const count = step({ name: 'count', isolation: 'process', input: z.object({ csv: dataset() }), output: z.object({ lines: z.number(), model: model() }) },
  async ({ csv }, { out, metric }) => {
    const lines = (await readFile(csv.path, 'utf8')).trim().split('\\n').length;
    console.log('counted ' + lines);
    metric('lines', lines);
    await writeFile(out.model, String(lines));
    return { lines };
  });
export const fails = step({ name: 'fails', isolation: 'process', input: z.object({}), output: z.object({}) }, () => { console.error('last words'); throw new Error('on purpose'); });
export const slow = step({ name: 'slow', isolation: 'none', input: z.object({}), output: z.object({}) }, async (_, { signal }) => { await pause(100_000, undefined, { signal }); return {}; });
export const talks = step({ name: 'talks', isolation: 'process', input: z.object({ until: z.string() }), output: z.object({}) },
  async ({ until }) => { console.log('first line'); while (!existsSync(until)) await pause(50); console.log('last line'); return {}; });
export const boxed = step({ name: 'boxed', image: 'busybox:latest', command: ['true'], input: z.object({}), output: z.object({}) });`,
  'c.pipeline.ts': `
import { approval, dataset, fetchData, pipeline, promote, register } from 'millrace';
import { z } from 'zod';
import { count, fails, slow, talks } from './c.steps.js';
export const release = pipeline({ name: 'release', input: z.object({ csv: dataset(), least: z.number().default(1) }) }, async ({ csv }) => {
  const made = await count({ csv });
  const candidate = await register('counter', { model: made.model, metrics: { lines: made.lines } });
  await approval('ok', { of: candidate });
  return promote(candidate);
});
export const broken = pipeline({ name: 'broken', input: z.object({}) }, async () => fails({}));
export const talking = pipeline({ name: 'talking', input: z.object({ until: z.string() }) }, async (input) => talks(input));
export const halfway = pipeline({ name: 'halfway', input: z.object({ csv: dataset() }) }, async (input) => { const { lines } = await count(input); await fails({}); return lines; });
export const long = pipeline({ name: 'long', input: z.object({}) }, async () => slow({}));
export const fetching = pipeline({ name: 'fetching', input: z.object({ uri: z.string() }) }, async ({ uri }) => (await count({ csv: await fetchData(uri) })).lines);`,
};

type Doctor = {
  readonly ok: boolean;
  readonly checks: readonly {
    readonly name: string;
    readonly status: string;
    readonly says: string;
    readonly todo?: string;
  }[];
};

describeWith({ temporal: true }, 'the millrace command', () => {
  let folder: string;
  const env = { MILLRACE_EXECUTOR: 'process' };
  const millrace = (...args: readonly string[]) => runCli(args, { cwd: folder, env });
  const json = async (...args: readonly string[]) => {
    const { stdout, exitCode } = await millrace(...args, '--json');
    return { exitCode, value: JSON.parse(stdout.trim().split('\n').at(-1) ?? 'null') as never };
  };
  const started = async (...args: readonly string[]) =>
    ((await json('run', ...args)).value as { run: string }).run;

  beforeAll(async () => {
    folder = await temporaryFolder();
    await writeProject(folder, files);
    await writeFile(path.join(folder, 'table.csv'), 'a\n1\n2\n');
    const dev = await startCli(['dev'], { cwd: folder, env });
    releaseAtEnd(() => dev[Symbol.asyncDispose]());
    await waitFor(async () => (await millrace('run', 'broken', '--dry-run')).exitCode === 0, {
      what: 'dev',
      timeoutMs: 60_000,
      intervalMs: 300,
    });
  }, 120_000);

  test('run takes a file as an artifact; show, logs, approve and models follow the run', async () => {
    const run = await started(
      'release',
      '--input',
      'csv=@./table.csv',
      '--input',
      '{"least": 2}',
      '--tag',
      'team=risk',
    );
    await waitFor(async () => (await millrace('show', run)).stdout.includes(`millrace approve ${run} ok`), {
      what: 'the gate in show',
      intervalMs: 300,
    });
    expect((await millrace('logs', run, 'count')).stdout).toContain('counted 3');
    expect((await json('approve', run, 'nope')).value).toMatchObject({
      error: { code: 'UNKNOWN_GATE', hint: expect.stringContaining('ok') },
    });
    expect((await millrace('reject', run, 'ok')).exitCode).toBe(2);
    expect((await millrace('approve', run, 'ok', '--reason', 'fine')).exitCode).toBe(0);
    await waitFor(async () => (await millrace('show', run)).stdout.includes('completed'));
    expect((await json('models', 'counter')).value).toMatchObject({
      name: 'counter',
      versions: [{ version: 1 }],
      aliases: [{ alias: 'champion', version: 1 }],
    });
    const { value } = await json('runs', '--tag', 'team=risk', '--status', 'completed', '--since', '1h');
    expect(JSON.stringify(value)).toContain(run);
    expect(JSON.stringify((await json('runs', '--tag', 'team=other')).value)).not.toContain(run);
  });

  test('a failed run ends with 1, its code, and the words of the step', async () => {
    const { exitCode, value } = await json('run', 'broken', '--wait');
    expect(exitCode).toBe(1);
    expect(JSON.stringify(value)).toContain('STEP_FAILED');
    const logs = await millrace('logs', 'last');
    expect(logs.stdout + logs.stderr).toContain('last words');
    const show = await millrace('show', 'last');
    expect(show.stdout).toContain('on purpose');
  });

  test('recover prints its plan before anything starts, and runs what failed', async () => {
    const run = await started('halfway', '--input', 'csv=@table.csv');
    await waitFor(async () => (await millrace('show', run)).stdout.includes('failed'), { what: 'its end' });
    const plan = await millrace('recover', run, '--plan');
    expect(plan.stdout).toContain(`reuse    count  from ${run}`);
    expect(plan.stdout).toContain('run      fails  failed: STEP_FAILED');
    expect(plan.stdout).toContain('planned 2, reused 1, run 1, changed 0');
    const { exitCode, value } = await json('recover', run, '--wait');
    expect({ exitCode, value }).toMatchObject({
      exitCode: 1,
      value: { status: 'failed', error: { code: 'STEP_FAILED' }, plan: { planned: 2, reused: 1, runs: 1 } },
    });
    const { run: recovered } = value as { readonly run: string };
    const shown = await millrace('show', recovered);
    expect(shown.stdout).toContain(`reused, from ${run} count`);
    expect(shown.stdout).toMatch(new RegExp(`recovers +${run}`));
    const asked = await json('recover', run, '--plan', '--from', 'count');
    expect(asked.value).toMatchObject({
      reused: 0,
      runs: 2,
      steps: [{ path: 'count', why: 'asked for' }, {}],
    });
    expect((await json('recover', run, '--from', 'cuont')).exitCode).toBe(2);
  });

  test('reject needs a reason, and ends the run as rejected', async () => {
    const run = await started('release', '--input', 'csv=@./table.csv');
    await waitFor(async () => (await millrace('show', run)).stdout.includes('millrace approve'), {
      intervalMs: 300,
    });
    expect((await millrace('reject', run, 'ok', '--reason', 'no')).exitCode).toBe(0);
    await waitFor(
      async () =>
        (await millrace('show', run)).stdout.includes('APPROVAL_REJECTED') ||
        (await millrace('show', run)).stdout.includes('rejected'),
      { intervalMs: 300 },
    );
  });

  test('cancel stops a run', async () => {
    const run = await started('long');
    expect((await millrace('cancel', run)).exitCode).toBe(0);
    await waitFor(
      async () => ((await json('show', run)).value as { run: { status: string } }).run.status === 'cancelled',
      { intervalMs: 300 },
    );
  });

  test('data is read and hashed anew on each run', async () => {
    const uri = `file://${folder}/table.csv`;
    expect((await json('run', 'fetching', '--input', `uri=${uri}`, '--wait')).value).toMatchObject({
      output: 3,
    });
    await writeFile(path.join(folder, 'table.csv'), 'a\n1\n2\n3\n');
    expect((await json('run', 'fetching', '--input', `uri=${uri}`, '--wait')).value).toMatchObject({
      output: 4,
    });
    expect(
      JSON.stringify((await json('run', 'fetching', '--input', 'uri=gopher://x/y', '--wait')).value),
    ).toContain('INVALID_INPUT');
  });

  test.each([
    [['run', 'relase', '--input', '{}'], 2, 'UNKNOWN_PIPELINE', 'Did you mean `release`?'],
    [['run', 'release', '--input', '{"csv": 1}'], 2, 'INVALID_INPUT', '`csv`'],
    [['run', 'release', '--input', 'csv=table.csv'], 2, 'INVALID_INPUT', '--input csv=@PATH'],
    [['run', 'release', '--input', 'csv=@./nowhere.csv'], 2, undefined, 'nowhere.csv'],
    [['show', 'nothing-like-it'], undefined, 'UNKNOWN_RUN', 'nothing-like-it'],
    [['models', 'nobody'], undefined, 'UNKNOWN_MODEL', 'nobody'],
  ])('bad input is refused: %j', async (args, code, error, words) => {
    const { exitCode, value } = await json(...args);
    expect(exitCode).toBe(code ?? exitCode);
    expect(exitCode).not.toBe(0);
    const text = JSON.stringify(value);
    if (error !== undefined) expect(text).toContain(error);
    expect(text).toContain(words);
  });

  test('logs -f prints lines while the step runs, and ends with the run', async () => {
    const go = path.join(folder, 'go');
    const run = await started('talking', '--input', `until=${go}`);
    const following = await startCli(['logs', run, '-f'], { cwd: folder, env });
    releaseAtEnd(() => following[Symbol.asyncDispose]());
    await waitFor(() => following.stdout().includes('first line'), { what: 'the first line' });
    expect(following.stdout()).not.toContain('last line');
    await writeFile(go, '');
    const { exitCode, stdout } = await following.ended;
    expect(exitCode).toBe(0);
    expect(stdout.match(/first line|last line/g)).toEqual(['first line', 'last line']);
  });

  test('doctor finds each thing it looks for well', async () => {
    const { exitCode, value } = await json('doctor');
    const { ok, checks } = value as Doctor;
    expect(checks.map(({ name }) => name)).toEqual([
      'config', 'node', 'millrace', 'python', 'docker', 'temporal', 'catalog', 'outbox', 'artifacts', 'disk', 'project',
    ]); // prettier-ignore
    expect(checks.filter(({ status }) => status === 'fail')).toEqual([]);
    expect([ok, exitCode]).toEqual([true, 0]);
    const said = (name: string) => checks.find((check) => check.name === name)?.says;
    expect(said('node')).toContain(process.versions.node);
    expect(said('temporal')).toMatch(/embedded service runs at 127\.0\.0\.1:\d+/);
    expect(said('project')).toMatch(/release/);
  });

  test('doctor says what to do about each thing that fails, and fails with it', async () => {
    const closed = await freePort();
    const elsewhere = await temporaryFolder();
    await writeProject(elsewhere, { ...files, 'c.pipeline.ts': 'export const broken = ;' });
    const { exitCode, stdout } = await runCli(['doctor', '--json'], {
      cwd: elsewhere,
      env: {
        MILLRACE_EXECUTOR: 'docker',
        DOCKER_HOST: 'unix:///nowhere/docker.sock',
        TEMPORAL_ADDRESS: `127.0.0.1:${closed}`,
      },
    });
    const { ok, checks } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Doctor;
    expect([ok, exitCode]).toEqual([false, 1]);
    const failing = checks.filter(({ status }) => status === 'fail');
    expect(failing.map(({ name, says, todo }) => [name, says, todo])).toEqual([
      ['docker', expect.stringContaining('unix:///nowhere/docker.sock'), expect.stringContaining('Start Docker')],
      ['temporal', expect.stringContaining(`127.0.0.1:${closed}`), expect.stringContaining('TEMPORAL_ADDRESS')],
      ['project', expect.stringContaining('c.pipeline.ts:1'), expect.stringContaining('Mend the file')],
    ]); // prettier-ignore
  });

  test('a service that cannot be reached and a port that is taken are said so', async () => {
    const closed = await freePort();
    const away = await runCli(['run', 'broken', '--json'], {
      cwd: folder,
      env: { ...env, TEMPORAL_ADDRESS: `127.0.0.1:${closed}` },
    });
    expect(away.exitCode).toBe(3);
    expect(away.stdout).toContain('TEMPORAL_UNAVAILABLE');
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const elsewhere = await temporaryFolder();
    await writeProject(elsewhere, files);
    const taken = await runCli(['dev', '--json'], {
      cwd: elsewhere,
      env: { ...env, MILLRACE_TEMPORAL_PORT: String(port) },
      timeoutMs: 60_000,
    });
    server.close();
    expect(taken.exitCode).not.toBe(0);
    expect(taken.stdout + taken.stderr).toContain(`${port}`);
    expect(taken.stdout + taken.stderr).toContain('PORT_TAKEN');
  });

  test('an engine that does not answer is named before anything starts', async () => {
    const elsewhere = await temporaryFolder();
    await writeProject(elsewhere, {
      ...files,
      'c.pipeline.ts': `import { pipeline } from 'millrace'; import { z } from 'zod'; import { boxed } from './c.steps.js';
export const box = pipeline({ name: 'box', input: z.object({}) }, async () => boxed({}));`,
    });
    const without = { MILLRACE_EXECUTOR: 'docker', DOCKER_HOST: 'unix:///nowhere/docker.sock' };
    const dev = await startCli(['dev'], { cwd: elsewhere, env: without });
    try {
      const dry = await waitFor(
        async () => {
          const end = await runCli(['run', 'box', '--dry-run', '--json'], { cwd: elsewhere, env: without });
          return end.stdout.includes('DOCKER_UNAVAILABLE') && end;
        },
        { what: `the refusal; dev said ${dev.stderr()}`, timeoutMs: 60_000, intervalMs: 500 },
      );
      expect(dry.stdout).toContain('nowhere/docker.sock');
    } finally {
      await dev[Symbol.asyncDispose]();
    }
  });
});
