import { createHmac } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { RunHandle } from '../../../client/index.js';
import { describeWith } from '../../support/describe-with.js';
import { lineageServer } from '../../support/lineage-server.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'n.steps.ts': `
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { step } from 'millrace';
import { z } from 'zod';
const none = z.object({});
export const fails = step({ name: 'fails', isolation: 'none', input: none, output: none }, () => { throw new Error('on purpose'); });
export const until = step({ name: 'until', isolation: 'none', input: z.object({ file: z.string() }), output: none }, async ({ file }, { signal }) => {
  while (!existsSync(file)) await pause(20, undefined, { signal });
  return {};
});`,
  'n.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { fails, until } from './n.steps.js';
const none = z.object({});
export const broken = pipeline({ name: 'broken', input: none }, async () => fails({}));
export const outer = pipeline({ name: 'outer', input: none }, async () => broken({}));
export const parking = pipeline({ name: 'parking', input: none, onFailure: 'park' }, async () => fails({}));
export const late = pipeline({ name: 'late', input: z.object({ file: z.string() }), expectedWithin: '1s' }, async ({ file }) => until({ file }));`,
  'secrets/HOOK': 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  'tell.sh': 'cat > "told-$MILLRACE_NOTICE_TYPE-$MILLRACE_NOTICE_ID.json"',
};

type Told = { readonly type: string; readonly data: { readonly run: string } & Record<string, unknown> };

describeWith({ temporal: true }, 'notifications', () => {
  test('a service is told of failed, parked and overdue runs, signed and once, and a program of what it asks for', async () => {
    const server = await lineageServer();
    // Away at first: what happens meanwhile is told later.
    server.answer = 503;
    const { client, project, host, startHost } = await startMillrace({
      files,
      env: {
        MILLRACE_EXECUTOR: 'process',
        MILLRACE_CPUS: '8',
        MILLRACE_SECRETS_DIR: 'secrets',
        MILLRACE_NOTIFY: JSON.stringify([
          { url: server.url, secret: 'HOOK', name: 'on-call' },
          { command: ['sh', 'tell.sh'], on: ['parked', 'completed'] },
        ]),
      },
    });
    const told = (run: RunHandle) =>
      (server.events as readonly Told[]).filter(({ data }) => data.run === run.id);

    const failed = await client.start('outer', {});
    await failed.result().catch(() => undefined);
    const parked = await client.start('parking', {});
    await waitFor(async () => (await parked.view()).steps[0]?.status === 'parked', {
      what: 'the parked step',
    });
    const file = path.join(project, 'go');
    const late = await client.start('late', { file });
    await waitFor(async () => (await late.view()).run.overdueAt !== undefined, { what: 'the late run' });
    // As dead workers do: nothing is told twice because another one looks at the same runs.
    await host.stop();
    await startHost();
    server.answer = 200;
    await waitFor(() => told(failed).length + told(parked).length + told(late).length === 3, {
      what: 'all to be told',
    });

    expect(told(failed)).toMatchObject([
      {
        type: 'run.failed',
        timestamp: expect.any(String),
        data: {
          pipeline: 'outer',
          status: 'failed',
          step: 'fails',
          failure: { code: 'STEP_FAILED', what: expect.stringContaining('on purpose') },
          text: expect.stringContaining(`${failed.id} failed: `),
          command: `millrace why ${failed.id}`,
        },
      },
    ]);
    expect(told(parked)).toMatchObject([
      { type: 'step.parked', data: { step: 'fails', status: 'running', failure: { code: 'STEP_FAILED' } } },
    ]);
    expect(JSON.stringify(server.events)).not.toContain('logTail');
    expect(told(late)).toMatchObject([
      { type: 'run.overdue', data: { status: 'running', dueAt: expect.any(String) } },
    ]);
    const { headers, events } = server;
    headers.slice(-events.length).forEach((each, index) => {
      const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
      const signed = `${String(each['webhook-id'])}.${String(each['webhook-timestamp'])}.${JSON.stringify(events[index])}`;
      const signature = createHmac('sha256', key).update(signed).digest('base64');
      expect(each['webhook-signature']).toBe(`v1,${signature}`);
    });
    // Sent again it has the same id.
    expect(headers[0]?.['webhook-id']).toBe(headers[1]?.['webhook-id']);

    await parked.repair('fails', { do: 'abort', by: 'ada' });
    await parked.result().catch(() => undefined);
    await writeFile(file, '');
    await late.result();
    const written = async () =>
      (await readdir(project)).filter((name) => name.startsWith('told-')).map((name) => name.split('-')[1]);
    await waitFor(async () => (await written()).length === 2, { what: 'the program to be told' });
    expect(new Set(await written())).toEqual(new Set(['run.completed', 'step.parked']));
    const [first = ''] = (await readdir(project)).filter((name) => name.startsWith('told-step.parked'));
    expect(JSON.parse(await readFile(path.join(project, first), 'utf8'))).toMatchObject({
      type: 'step.parked',
    });
    await waitFor(() => told(parked).length === 2, { what: 'the end of the repaired run' });
    expect(told(late)).toHaveLength(1);
    expect((await late.why()).filter(({ kind }) => kind === 'overdue')).toHaveLength(1);
  });
});
