import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { LogLine, MillraceClient } from '../../../client/index.js';
import { createClient } from '../../../client/index.js';
import { loadConfig } from '../../../config/load-config.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { startCli } from '../../support/run-cli.js';
import { writeProject } from '../../support/start-millrace.js';
import { startTemporal } from '../../support/start-temporal.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

/** Counts aloud; the first attempt goes on for long, later ones end soon. */
const count = (last: string) =>
  `n=0; echo "attempt $MILLRACE_ATTEMPT" >&2; while [ $n -lt ${last} ]; do n=$((n+1)); echo "$MILLRACE_ATTEMPT line $n"; sleep 0.2; done; echo '{}' > $MILLRACE_DIR/output.json`;
const files = {
  'package.json': '{"name":"chatty","type":"module"}',
  'c.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
const none = z.object({});
const resources = { cpus: 0.2, memory: '64MiB' } as const;
export const some = step({ name: 'some', image: 'busybox:latest', command: ['sh', '-c', ${JSON.stringify(count('60'))}], input: none, output: none, resources });
export const endless = step({ name: 'endless', image: 'busybox:latest', command: ['sh', '-c', ${JSON.stringify(count('$([ $MILLRACE_ATTEMPT = 1 ] && echo 100000 || echo 3)'))}], input: none, output: none, resources });
const flood = 'yes "0123456789012345678901234567890123456789" | head -n 100000; sleep 5; echo "last line"; echo "{}" > $MILLRACE_DIR/output.json';
export const boxed = step({ name: 'boxed', image: 'busybox:latest', command: ['sh', '-c', flood], input: none, output: none, resources });
export const apart = step({ name: 'apart', isolation: 'process', command: ['sh', '-c', flood], input: none, output: none, resources });
export const inside = step({ name: 'inside', isolation: 'none', retry: { attempts: 1 }, input: none, output: none }, () => { throw new Error('no such thing'); });`,
  'c.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { apart, boxed, endless, inside, some } from './c.steps.js';
export const counts = pipeline({ name: 'counts', input: z.object({}) }, async () => { await some({}); });
export const floods = pipeline({ name: 'floods', input: z.object({}) }, async () => { await Promise.all([boxed({}), apart({})]); });
export const fails = pipeline({ name: 'fails', input: z.object({}) }, async () => { await inside({}); });
export const dies = pipeline({ name: 'dies', input: z.object({}) }, async () => { await endless({}); });`,
};

/** Hosts with a state directory each, and a client that has none of theirs, at one store and catalog. */
async function openFleet() {
  const [project, shared] = [await temporaryFolder(), await temporaryFolder()];
  await writeProject(project, files);
  const temporal = await startTemporal();
  const env = (host: string, more: Readonly<Record<string, string>> = {}) => ({
    TEMPORAL_ADDRESS: temporal.address,
    MILLRACE_QUEUE: path.basename(project),
    MILLRACE_EXECUTOR: 'docker',
    MILLRACE_ADOPT_WITHIN: '1s',
    MILLRACE_STORE: `file:${shared}/store`,
    MILLRACE_CATALOG: `sqlite:${shared}/catalog.db`,
    MILLRACE_STATE_DIR: path.join(project, '.state', host),
    ...more,
  });
  const openClient = async (more?: Readonly<Record<string, string>>): Promise<MillraceClient> => {
    const client = await createClient({
      config: await loadConfig({ cwd: project, env: env('client', more) }),
    });
    releaseAtEnd(() => client[Symbol.asyncDispose]());
    return client;
  };
  const catalog = await openCatalog(`sqlite:${shared}/catalog.db`);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  const client = await openClient({ MILLRACE_ADOPT_WITHIN: '60s' });
  return {
    client,
    hasty: await openClient(),
    catalog,
    state: (host: string) => path.join(project, '.state', host),
    startHost: async (host: string, more?: Readonly<Record<string, string>>) => {
      const worker = await startCli(['worker', '--cwd', project], { env: env(host, more) });
      releaseAtEnd(() => worker[Symbol.asyncDispose]());
      await waitFor(() => client.currentBuild(), { what: 'the worker', timeoutMs: 60_000 });
      return worker;
    },
  };
}

/** Takes lines as they come. */
function follow(lines: AsyncIterable<LogLine>) {
  const seen: LogLine[] = [];
  const ended = (async () => {
    for await (const line of lines) seen.push(line);
  })();
  ended.catch(() => undefined);
  return { seen, ended };
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `1 line ${from + index}`);
const printed = (lines: readonly LogLine[]) =>
  lines.map(({ text }) => text).filter((text) => text.includes('line'));

describeWith({ temporal: true, docker: true }, 'the log of a running container', () => {
  test('is followed from a machine that has none of it, through the death of a worker, each line once', async () => {
    const { client, catalog, startHost } = await openFleet();
    const first = await startHost('a');
    const run = await client.start('counts', {});
    const { seen, ended } = follow(run.logs({ follow: true }));
    await waitFor(() => seen.length > 3, { what: 'the first lines', timeoutMs: 60_000 });
    const place = { run: run.id, path: 'some', attempt: 1 };
    const [chunk] = await catalog.logChunks.list(place);
    expect(chunk?.firstAt).toBe(seen[0]?.at);
    expect((await catalog.attempts(run.id))[0]).toMatchObject({ status: 'running' });
    const before = seen.length;
    first.kill('SIGKILL');
    await first.ended;
    await startHost('a');
    await run.result();
    await ended;
    expect(before).toBeLessThan(60);
    expect(printed(seen)).toEqual(numbers(1, 60));
    expect(seen.filter(({ stream }) => stream === 'err').map(({ text }) => text)).toEqual(['attempt 1']);
    expect(new Set(seen.map(({ attempt }) => attempt))).toEqual(new Set([1]));
    expect(await catalog.logChunks.list(place)).toEqual([]);
    const { seen: again, ended: read } = follow(run.logs());
    await read;
    expect(again).toEqual(seen);
  });

  test('is there when its host and all it had are gone, and followed into the next attempt', async () => {
    const { hasty: client, catalog, startHost, state } = await openFleet();
    const first = await startHost('a');
    const run = await client.start('dies', {});
    const { seen, ended } = follow(run.logs({ follow: true }));
    await waitFor(() => seen.length > 3, { what: 'the first lines', timeoutMs: 60_000 });
    first.kill('SIGKILL');
    await first.ended;
    await rm(state('a'), { recursive: true, force: true });
    await startHost('b');
    await run.result();
    await ended;
    const [lost, second] = await catalog.attempts(run.id);
    expect(lost).toMatchObject({ status: 'lost' });
    expect(lost?.log).toBeUndefined();
    expect(second).toMatchObject({ status: 'completed', log: expect.stringMatching(/^sha256:/) });
    const of = (lines: readonly LogLine[], attempt: number) =>
      printed(lines.filter((line) => line.attempt === attempt));
    expect(of(seen, 1)).toEqual(numbers(1, of(seen, 1).length));
    expect(of(seen, 1).length).toBeGreaterThan(2);
    expect(of(seen, 2)).toEqual(['2 line 1', '2 line 2', '2 line 3']);
    const { seen: later, ended: read } = follow(run.logs());
    await read;
    expect(of(later, 1)).toEqual(of(seen, 1));
  });

  test('is in the store at the end of a step inside the worker too', async () => {
    const { client, startHost } = await openFleet();
    await startHost('a');
    const run = await client.start('fails', {});
    await expect(run.result()).rejects.toThrow('no such thing');
    const { seen, ended } = follow(run.logs());
    await ended;
    expect(seen[0]).toMatchObject({ path: 'inside', stream: 'err', text: 'Error: no such thing' });
  });

  test('is held to its rate, which it says, in a container and as a process', async () => {
    const { client, startHost } = await openFleet();
    await startHost('a', { MILLRACE_LOG_RATE: '64KiB', MILLRACE_LOG_BURST: '512KiB' });
    const run = await client.start('floods', {});
    await run.result();
    for (const step of ['boxed', 'apart']) {
      const { seen, ended } = follow(run.logs({ step }));
      await ended;
      const marks = seen.filter(({ text }) => text.startsWith('millrace: '));
      expect(marks[0]?.text).toMatch(
        /^millrace: \d+ lines \(.* MiB\) or more left out: more than 64\.0 KiB\/s$/,
      );
      expect(seen.at(-1)?.text).toBe('last line');
      const size = seen.reduce((sum, { text }) => sum + text.length, 0);
      expect(size).toBeGreaterThan(200_000);
      expect(size).toBeLessThan(2_000_000);
    }
  });

  test('is whole when the host of a lost attempt comes back', async () => {
    const { hasty: client, catalog, startHost, state } = await openFleet();
    const first = await startHost('a');
    const run = await client.start('dies', {});
    const { seen } = follow(run.logs({ follow: true, attempt: 1 }));
    await waitFor(() => seen.length > 3, { what: 'the first lines', timeoutMs: 60_000 });
    first.kill('SIGKILL');
    await first.ended;
    const before = seen.length;
    await startHost('b');
    await run.result();
    await startHost('a');
    const lost = await waitFor(
      async () =>
        (await catalog.attempts(run.id)).find(({ attempt, log }) => attempt === 1 && log !== undefined),
      { what: 'the log of the lost attempt', timeoutMs: 60_000 },
    );
    expect(lost.status).toBe('lost');
    await rm(path.join(state('a'), 'logs'), { recursive: true, force: true });
    const { seen: later, ended: read } = follow(run.logs({ attempt: 1 }));
    await read;
    expect(printed(later)).toEqual(numbers(1, printed(later).length));
    // What it printed while nobody was there is kept too: the other host came long after.
    expect(printed(later).length).toBeGreaterThan(before + 20);
  });
});
