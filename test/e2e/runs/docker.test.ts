import { execFileSync } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { describeWith } from '../../support/describe-with.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const secretValue = 'hunter2-a-secret-value';

const steps = `
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dataset, file, model, step } from 'millrace';
import { z } from 'zod';

export const inNode = step(
  { name: 'inNode', input: z.object({ n: z.number() }), output: z.object({ text: file(), host: z.string() }), resources: { cpus: 0.5, memory: '256MiB' } },
  async ({ n }, { out, metric }) => { metric('n', n); await writeFile(out.text, 'made in ' + hostname()); return { host: hostname() }; },
);
export const spoil = step({
  name: 'spoil', image: 'busybox:latest', command: ['sh', '-c', 'echo spoilt > {in.table} || echo refused > {out.note}'],
  input: z.object({ table: dataset() }), output: z.object({ note: file() }),
});
export const spoilOwn = step({
  name: 'spoilOwn', command: ['/bin/sh', '-c', 'chmod u+w {in.table}; echo spoilt > {in.table}; cp {in.table} {out.note}'],
  input: z.object({ table: dataset() }), output: z.object({ note: file() }),
});
export const secretive = step({
  name: 'secretive', image: 'busybox:latest', secrets: [{ name: 'TOKEN', env: true }],
  command: ['sh', '-c', 'cat /millrace/secrets/TOKEN > {out.copy}; echo "token is $TOKEN"; wc -c < /millrace/secrets/TOKEN > {out.length}; sleep 1; rm {out.copy}; echo done > {out.copy}'],
  input: z.object({}), output: z.object({ copy: file(), length: z.number() }),
});
export const telltale = step({ name: 'telltale', image: 'busybox:latest', secrets: ['TOKEN'], input: z.object({}), output: z.object({}),
  command: ['sh', '-c', 'V=$(cat /millrace/secrets/TOKEN); echo "{\\\\"type\\\\":\\\\"progress\\\\",\\\\"fraction\\\\":0.5,\\\\"message\\\\":\\\\"with $V\\\\"}" >> /millrace/events.jsonl; echo "{\\\\"type\\\\":\\\\"message\\\\",\\\\"level\\\\":\\\\"info\\\\",\\\\"text\\\\":\\\\"said $V\\\\"}" >> /millrace/events.jsonl; echo "{\\\\"type\\\\":\\\\"failure\\\\",\\\\"message\\\\":\\\\"refused $V\\\\",\\\\"retryable\\\\":false}" >> /millrace/events.jsonl; exit 1'] });
export const inside = step({ name: 'inside', isolation: 'none', secrets: ['TOKEN'], input: z.object({}), output: z.object({}) },
  (_, { secret, log }) => { log.info('said ' + secret('TOKEN')); throw new Error('refused ' + secret('TOKEN')); });
export const missing = step({ name: 'missing', image: 'busybox:latest', secrets: ['NOBODY_HAS_IT'], command: ['true'], input: z.object({}), output: z.object({}) });
export const noImage = step({ name: 'noImage', image: 'no-such-image:1.2.3', command: ['true'], input: z.object({}), output: z.object({}) });
export const leaves = step({ name: 'leaves', image: 'busybox:latest', command: ['sh', '-c', 'ln -s /etc/passwd {out.link}'], input: z.object({}), output: z.object({ link: file() }) });
export const huge = step({ name: 'huge', image: 'busybox:latest', command: ['true'], input: z.object({}), output: z.object({}), resources: { cpus: 4096 } });
export const sleeper = step({ name: 'sleeper', image: 'busybox:latest', command: ['sleep', '600'], input: z.object({}), output: z.object({}) });
export const labelled = step({ name: 'labelled', image: 'busybox:latest', command: ['sleep', '600'], input: z.object({ k: z.number() }), output: z.object({}) });
export const greedy = step({ name: 'greedy', image: 'busybox:latest', command: ['sleep', '1'], input: z.object({ k: z.number() }), output: z.object({}), resources: { cpus: 2 } });
`;
const one = (name: string, input = 'z.object({})') =>
  `import { pipeline } from 'millrace'; import { z } from 'zod'; import { ${name} as body } from './docker.steps.js';
export const p = pipeline({ name: '${name}', input: ${input} }, async (input) => body(input as never));`;

describeWith({ temporal: true, docker: true }, 'runs in containers', () => {
  let millrace: TestMillrace;
  beforeAll(async () => {
    // One steps file for all: a run is checked only for the steps that its own file's pipelines call.
    const files: Record<string, string> = { 'docker.steps.ts': steps };
    for (const [, name = ''] of steps.matchAll(/export const (\w+)/g))
      files[`${name}.pipeline.ts`] = one(name, inputs[name]);
    files['both.pipeline.ts'] =
      `import { pipeline } from 'millrace'; import { z } from 'zod'; import { greedy } from './docker.steps.js';
export const both = pipeline({ name: 'both', input: z.object({}) }, async () => Promise.all([greedy({ k: 1 }), greedy({ k: 2 })]));`;
    millrace = await startMillrace({
      files,
      env: { MILLRACE_EXECUTOR: 'docker', MILLRACE_CPUS: '2', MILLRACE_SECRET_TOKEN: secretValue },
    });
    process.env['MILLRACE_SECRET_TOKEN'] = secretValue;
  });
  afterAll(() => {
    delete process.env['MILLRACE_SECRET_TOKEN'];
  });
  const inputs: Record<string, string> = {
    inNode: 'z.object({ n: z.number() })',
    greedy: 'z.object({ k: z.number() })',
    labelled: 'z.object({ k: z.number() })',
  };
  const start = (name: string, input: unknown) => millrace.client.start(name, input);

  test('a TypeScript step runs in a Node container, by image digest, and nothing of it is left', async () => {
    const run = await start('inNode', { n: 3 });
    const output = (await run.result()) as { host: string };
    expect(output.host).toMatch(/^[0-9a-f]{12}$/);
    const view = await run.view();
    expect(view.steps).toMatchObject([
      {
        path: 'inNode',
        attempts: [{ executor: 'docker', image: expect.stringMatching(/^sha256:/), exitCode: 0 }],
        metrics: [{ name: 'n', value: 3 }],
      },
    ]);
    expect(view.run.plan?.images['inNode']?.reference).toBe('node:22-slim');
    expect(containers(millrace.config.installation)).toEqual([]);
    expect(await readdir(path.join(millrace.config.stateDir, 'work', run.id)).catch(() => [])).toEqual([]);
  });

  test('a secret reaches the step and nothing else', async () => {
    const run = await start('secretive', {});
    await waitFor(
      () => containers(millrace.config.installation).length > 0 && containers(millrace.config.installation),
      { what: 'the container' },
    ).then((ids) => {
      expect(execFileSync('docker', ['inspect', ...ids], { encoding: 'utf8' })).not.toContain(secretValue);
    });
    expect(await run.result()).toMatchObject({ length: secretValue.length });
    const { Client, Connection } = await import('@temporalio/client');
    const connection = await Connection.connect({ address: millrace.temporal.address });
    const history = await new Client({ connection }).workflow.getHandle(run.id).fetchHistory();
    await connection.close();
    const payloads = historyText(history);
    expect(payloads).toContain('secretive');
    expect(payloads).not.toContain(secretValue);
    const lines = [];
    for await (const { text } of run.logs()) lines.push(text);
    expect(lines).toEqual(['token is ***']);
    const holders = await filesWith(millrace.config.stateDir, secretValue);
    expect(holders).toEqual([]);
  });

  test.each(['telltale', 'inside'])('a secret in the words of a failing step is hidden: %s', async (name) => {
    const run = await start(name, {});
    await expect(run.result()).rejects.toMatchObject({
      code: 'STEP_FAILED',
      message: expect.stringContaining('refused ***'),
    });
    const lines = [];
    for await (const { text } of run.logs()) lines.push(text);
    expect(lines).toContain('info: said ***');
    expect(await filesWith(millrace.config.stateDir, secretValue)).toEqual([]);
    const { Client, Connection } = await import('@temporalio/client');
    const connection = await Connection.connect({ address: millrace.temporal.address });
    const history = await new Client({ connection }).workflow.getHandle(run.id).fetchHistory();
    await connection.close();
    expect(historyText(history)).not.toContain(secretValue);
  });

  test('what cannot run is refused before any step starts', async () => {
    await expect((await start('missing', {})).result()).rejects.toMatchObject({
      code: 'SECRET_MISSING',
      message: expect.stringContaining('NOBODY_HAS_IT'),
    });
    await expect((await start('noImage', {})).result()).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
      message: expect.stringContaining('no-such-image:1.2.3'),
    });
    await expect((await start('huge', {})).result()).rejects.toMatchObject({
      code: 'CAPACITY_EXCEEDED',
      message: expect.stringContaining('needs 4096 cpus'),
    });
    for (const name of ['missing', 'noImage', 'huge']) {
      const [run] = await millrace.client.runs({ pipeline: name });
      expect((await millrace.client.run(run?.id ?? '').view()).steps).toEqual([]);
    }
    expect((await millrace.client.dryRun('noImage', {})).problems).toMatchObject([
      { code: 'IMAGE_NOT_FOUND' },
    ]);
  });

  test('a container bears the key of its work: the same for the same input, another for another', async () => {
    const keyOf = async (k: number) => {
      const run = await start('labelled', { k });
      const [id = ''] = await waitFor(
        () => {
          const found = containers(millrace.config.installation);
          return found.length === 1 && found;
        },
        { what: 'the container' },
      );
      const labels = JSON.parse(
        execFileSync('docker', ['inspect', '-f', '{{json .Config.Labels}}', id], { encoding: 'utf8' }),
      ) as Record<string, string>;
      await run.cancel();
      await expect(run.result()).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
      expect(labels).toMatchObject({
        'millrace.installation': millrace.config.installation,
        'millrace.run': run.id,
        'millrace.step': 'labelled',
        'millrace.attempt': '1',
      });
      return labels['millrace.key'];
    };
    const first = await keyOf(1);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(await keyOf(1)).toBe(first);
    expect(await keyOf(2)).not.toBe(first);
  });

  test('an output that links out of its folder is refused by name', async () => {
    await expect((await start('leaves', {})).result()).rejects.toMatchObject({
      code: 'UNSAFE_OUTPUT',
      message: expect.stringContaining('link'),
    });
  });

  test('the host is not overcommitted: the second step waits and says for what', async () => {
    const run = await start('both', {});
    const waiting = await waitFor(
      async () =>
        (await run.view()).steps.find(
          ({ status, detail }) => status === 'queued' && detail?.startsWith('needs'),
        ),
      { what: 'a queued step', intervalMs: 20 },
    );
    expect(waiting.detail).toBe('needs 2 cpus');
    await run.result();
  });

  test('cancelling a run stops and removes its container', async () => {
    const run = await start('sleeper', {});
    await waitFor(() => containers(millrace.config.installation).length === 1, { what: 'the container' });
    await run.cancel();
    await expect(run.result()).rejects.toMatchObject({ code: 'RUN_CANCELLED' });
    expect(containers(millrace.config.installation)).toEqual([]);
    expect((await run.view()).steps).toMatchObject([
      { status: 'cancelled', attempts: [{ status: 'cancelled' }] },
    ]);
  });
});

describeWith({ temporal: true, docker: true }, 'a step that writes to its input', () => {
  test.each([['spoil'], ['spoilOwn']])('leaves the store intact: %s', async (name) => {
    const millrace = await startMillrace({
      files: {
        'docker.steps.ts': steps,
        'one.pipeline.ts': `import { dataset, pipeline } from 'millrace'; import { z } from 'zod'; import { ${name} } from './docker.steps.js';
export const p = pipeline({ name: '${name}', input: z.object({ table: dataset() }) }, async ({ table }) => ${name}({ table }));`,
        'table.csv': 'a,b\n1,2\n',
      },
      env: { MILLRACE_EXECUTOR: 'auto' },
    });
    const table = await millrace.client.upload(path.join(millrace.project, 'table.csv'));
    const run = await millrace.client.start(name, { table });
    const { note } = (await run.result()) as { note: never };
    await millrace.client.download(note, path.join(millrace.project, 'note'));
    expect(await readFile(path.join(millrace.project, 'note'), 'utf8')).toBe(
      name === 'spoil' ? 'refused\n' : 'spoilt\n',
    );
    await millrace.client.download(table, path.join(millrace.project, 'again.csv'));
    expect(await readFile(path.join(millrace.project, 'again.csv'), 'utf8')).toBe('a,b\n1,2\n');
  });
});

const historyText = (history: unknown): string =>
  JSON.stringify(history, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value,
  );

const containers = (installation: string): readonly string[] =>
  execFileSync('docker', ['ps', '-aq', '--filter', `label=millrace.installation=${installation}`], {
    encoding: 'utf8',
  })
    .split('\n')
    .filter(Boolean);

async function filesWith(folder: string, text: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await readdir(folder, { recursive: true })) {
    const file = path.join(folder, name);
    if ((await stat(file)).isFile() && (await readFile(file)).includes(text)) found.push(name);
  }
  return found;
}
