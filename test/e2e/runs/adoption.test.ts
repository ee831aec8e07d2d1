import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { MillraceClient, RunHandle } from '../../../client/index.js';
import { createClient } from '../../../client/index.js';
import type { Config } from '../../../config/config.js';
import { loadConfig } from '../../../config/load-config.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { startCli } from '../../support/run-cli.js';
import { writeProject } from '../../support/start-millrace.js';
import type { TestTemporal } from '../../support/start-temporal.js';
import { startTemporal } from '../../support/start-temporal.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

/** Counts tenths of seconds: its output has each number once where it was never begun anew. */
const counting =
  'n=0; while [ $n -lt {input.tenths} ]; do n=$((n+1)); echo tick $n; sleep 0.1; done; echo "{\\\\"n\\\\": $n, \\\\"attempt\\\\": $MILLRACE_ATTEMPT}" > $MILLRACE_DIR/output.json';
const files = {
  'package.json': '{"name":"adoption","type":"module"}',
  'a.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
const shape = { image: 'busybox:latest', input: z.object({ tenths: z.number() }), output: z.object({ n: z.number(), attempt: z.number() }), command: ['sh', '-c', '${counting}'] };
export const counts = step({ name: 'counts', ...shape });
export const cached = step({ name: 'cached', ...shape, cache: true });`,
  'a.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { cached, counts } from './a.steps.js';
const input = z.object({ tenths: z.number() });
export const counting = pipeline({ name: 'counting', input }, async ({ tenths }) => counts({ tenths }));
export const caching = pipeline({ name: 'caching', input }, async ({ tenths }) => cached({ tenths }));`,
};

describeWith({ temporal: true, docker: true }, 'a container whose worker goes', () => {
  let project: string;
  let temporal: TestTemporal;
  let client: MillraceClient;
  let config: Config;

  const env = (more: Readonly<Record<string, string>> = {}) => ({
    TEMPORAL_ADDRESS: temporal.address,
    MILLRACE_EXECUTOR: 'docker',
    MILLRACE_QUEUE: path.basename(project),
    MILLRACE_CATALOG: `sqlite:${project}/catalog.db`,
    MILLRACE_STORE: `file:${project}/artifacts`,
    ...more,
  });
  const startWorker = async (more?: Readonly<Record<string, string>>) => {
    const worker = await startCli(['worker', '--cwd', project], { env: env(more) });
    releaseAtEnd(() => worker[Symbol.asyncDispose]());
    return worker;
  };
  const configOf = (more?: Readonly<Record<string, string>>) => loadConfig({ cwd: project, env: env(more) });

  beforeEach(async () => {
    project = await temporaryFolder();
    await writeProject(project, files);
    temporal = await startTemporal();
    config = await configOf();
    client = await createClient({ config });
    releaseAtEnd(() => client[Symbol.asyncDispose]());
  });

  const begun = async (pipeline: string, tenths: number) => {
    await waitFor(() => client.currentBuild(), { what: 'the worker', timeoutMs: 60_000 });
    const run = await client.start(pipeline, { tenths });
    await waitFor(async () => (await linesOf(run)).length > 5, {
      what: 'the step to count',
      timeoutMs: 30_000,
    });
    return run;
  };
  const linesOf = async (run: RunHandle) => {
    const lines: string[] = [];
    for await (const { text } of run.logs()) lines.push(text);
    return lines;
  };
  const ticks = (n: number) => Array.from({ length: n }, (_, index) => `tick ${index + 1}`);
  const attemptsOf = async (run: RunHandle) =>
    (await run.view()).steps[0]?.attempts.map(({ attempt, status }) => `${attempt} ${status}`);

  test.each([
    ['was killed', 'SIGKILL', 220],
    ['is deployed', 'SIGTERM', 100],
  ] as const)(
    'goes on when the worker %s, and the next one takes its log and its result',
    async (_, signal, tenths) => {
      const first = await startWorker();
      const run = await begun('counting', tenths);
      const [container] = containersOf(config);
      first.kill(signal);
      await first.ended;
      await startWorker();
      expect(await run.result()).toEqual({ n: tenths, attempt: 1 });
      expect(await attemptsOf(run)).toEqual(['1 completed']);
      expect(await linesOf(run)).toEqual(ticks(tenths));
      const why = await run.why('counts');
      expect(why.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['take-up', 'adopted']));
      expect(container).toMatch(/ 1$/);
      await waitFor(() => containersOf(config).length === 0, { what: 'the container to be removed' });
    },
  );

  test('is computed once for all who want the same, though its worker was killed', async () => {
    const first = await startWorker();
    const run = await begun('caching', 220);
    const other = await client.start('caching', { tenths: 220 });
    first.kill('SIGKILL');
    await first.ended;
    await startWorker();
    expect(await run.result()).toEqual({ n: 220, attempt: 1 });
    expect(await other.result()).toEqual({ n: 220, attempt: 1 });
    expect(await attemptsOf(run)).toEqual(['1 completed']);
    expect(await attemptsOf(other)).toEqual([]);
    expect((await other.view()).steps[0]?.cached).toEqual({ run: run.id, path: 'cached' });
  });

  test('has its result taken when it ended while nobody watched', async () => {
    const first = await startWorker();
    const run = await begun('counting', 30);
    first.kill('SIGKILL');
    await first.ended;
    await waitFor(() => containersOf(config, 'exited').length === 1, {
      what: 'the container to end',
      timeoutMs: 60_000,
    });
    await startWorker();
    expect(await run.result()).toEqual({ n: 30, attempt: 1 });
    expect(await linesOf(run)).toEqual(ticks(30));
  });

  test('is fenced and removed when its host stays away, and another host makes the next attempt', async () => {
    const here = { MILLRACE_STATE_DIR: path.join(project, 'here'), MILLRACE_ADOPT_WITHIN: '5 s' };
    const there = { MILLRACE_STATE_DIR: path.join(project, 'there'), MILLRACE_ADOPT_WITHIN: '5 s' };
    const [hereConfig, thereConfig] = [await configOf(here), await configOf(there)];
    await using hasty = await createClient({ config: hereConfig });
    const first = await startWorker(here);
    await waitFor(() => client.currentBuild(), { what: 'the worker', timeoutMs: 60_000 });
    const run = await hasty.start('counting', { tenths: 250 });
    await waitFor(() => containersOf(hereConfig, 'running').length === 1, {
      what: 'the step to run',
      timeoutMs: 30_000,
    });
    first.kill('SIGKILL');
    await first.ended;
    await startWorker(there);
    await waitFor(() => containersOf(thereConfig).length === 1, {
      what: 'the other host',
      timeoutMs: 60_000,
    });
    expect(await attemptsOf(run)).toEqual(['2 running', '1 lost']);
    // Its host was asked for it, and did not answer in time.
    const asked = (await run.why('counts')).filter(({ kind }) => ['take-up', 'retry'].includes(kind));
    expect(asked.map(({ kind }) => kind)).toEqual(['take-up', 'retry']);
    expect(asked[0]?.text).toContain('waits up to 5 s for it');
    expect(asked[1]?.data).toMatchObject({ code: 'WORKER_LOST' });
    expect(containersOf(hereConfig)).toHaveLength(1);
    await startWorker(here);
    await waitFor(() => containersOf(hereConfig).length === 0, {
      what: 'the old container to go',
      timeoutMs: 60_000,
    });
    expect(await run.result()).toEqual({ n: 250, attempt: 2 });
    expect(await attemptsOf(run)).toEqual(['2 completed', '1 lost']);
  });

  test('has its recorded result taken by another host when its own cannot tell of it any more', async () => {
    const here = { MILLRACE_STATE_DIR: path.join(project, 'here'), MILLRACE_ADOPT_WITHIN: '3 s' };
    const there = { MILLRACE_STATE_DIR: path.join(project, 'there'), MILLRACE_ADOPT_WITHIN: '3 s' };
    const hereConfig = await configOf(here);
    await using hasty = await createClient({ config: hereConfig });
    const first = await startWorker(here);
    await waitFor(() => client.currentBuild(), { what: 'the worker', timeoutMs: 60_000 });
    const run = await hasty.start('counting', { tenths: 600 });
    const rowOf = async () => (await catalog.attempts(run.id))[0];
    await using catalog = await openCatalog(hereConfig.catalog);
    await waitFor(async () => (await rowOf())?.status === 'running', { what: 'its row', timeoutMs: 30_000 });
    first.kill('SIGKILL');
    await first.ended;
    // As its worker wrote it in the moment before it died, its word to the service being lost.
    const [row, [step]] = [await rowOf(), await catalog.steps(run.id)];
    const closedAt = new Date().toISOString();
    await catalog.project({
      attempts: [{ ...row!, status: 'completed', closedAt }],
      steps: [{ ...step!, status: 'completed', detail: '', closedAt, output: { n: 600, attempt: 1 } }],
    });
    await startWorker(there);
    expect(await run.result()).toEqual({ n: 600, attempt: 1 });
    expect(await attemptsOf(run)).toEqual(['1 completed']);
    expect((await run.why('counts')).map(({ kind }) => kind)).toContain('recorded');
    const left = containersOf(hereConfig).map((line) => line.split(' ')[0]!);
    execFileSync('docker', ['rm', '--force', ...left]);
  });
});

/** Id and attempt of each. */
const containersOf = ({ installation }: Config, status?: string): readonly string[] =>
  execFileSync(
    'docker',
    [
      'ps', '-a', '--no-trunc',
      '--filter', `label=millrace.installation=${installation}`,
      ...(status === undefined ? [] : ['--filter', `status=${status}`]),
      '--format', '{{.ID}} {{.Label "millrace.attempt"}}',
    ],
    { encoding: 'utf8' },
  )
    .split('\n')
    .filter(Boolean); // prettier-ignore
