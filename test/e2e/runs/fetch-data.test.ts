import { once } from 'node:events';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import type { ArtifactRef } from '../../../sdk/artifact.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const files = {
  'f.pipeline.ts': `
import { approval, fetchData, pipeline } from 'millrace';
import { z } from 'zod';
const input = z.object({ uri: z.string() });
export const fetching = pipeline({ name: 'fetching', input }, async ({ uri }) => fetchData(uri));
export const forgiving = pipeline({ name: 'forgiving', input }, async ({ uri }) => {
  try { await fetchData(uri); } catch (error) { await approval('go'); return (error as { code?: string }).code; }
});`,
};

describeWith({ temporal: true }, 'fetchData over HTTP', () => {
  let millrace: TestMillrace;
  let base: string;
  const asked: string[] = [];
  const answers: Record<string, (() => number)[]> = {};

  beforeAll(async () => {
    millrace = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'process' } });
    const server = createServer(({ url = '' }, response) => {
      asked.push(url);
      const status = (answers[url]?.shift() ?? (() => 200))();
      response.writeHead(status).end(status === 200 ? `a,b\n${url}\n` : 'no');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    releaseAtEnd(() => {
      server.close();
      server.closeAllConnections();
    });
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  const start = (name: string, url: string) => millrace.client.start(name, { uri: base + url });

  test('stores what the source answers under its name', async () => {
    const run = await start('fetching', '/data/table.csv?version=2');
    const data = (await run.result()) as ArtifactRef;
    expect(data).toMatchObject({ $artifact: 'dataset', type: 'file', name: 'table.csv' });
    const copy = `${millrace.project}/copy`;
    await millrace.client.download(data, copy);
    expect(await readFile(copy, 'utf8')).toBe('a,b\n/data/table.csv?version=2\n');
    expect((await run.view()).steps).toMatchObject([{ kind: 'fetch', status: 'completed' }]);
  });

  test('what the source refuses is refused at once, with its words', async () => {
    answers['/gone.csv'] = Array.from({ length: 9 }, () => () => 404);
    const run = await start('fetching', '/gone.csv');
    await expect(run.result()).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/\/gone\.csv answered 404 Not Found/),
      place: { run: run.id, step: 'fetchData' },
    });
    expect(asked.filter((url) => url === '/gone.csv')).toHaveLength(1);
  });

  test('what it cannot do just now is asked for again', async () => {
    answers['/busy.csv'] = [() => 503, () => 502];
    const run = await start('fetching', '/busy.csv');
    expect(await run.result()).toMatchObject({ name: 'busy.csv' });
    expect(asked.filter((url) => url === '/busy.csv')).toHaveLength(3);
    expect((await run.view()).steps).toMatchObject([{ status: 'completed' }]);
    expect((await run.view()).steps[0]?.failure).toBeUndefined();
  });

  test('one that failed is shown so while its author, who caught it, goes on', async () => {
    answers['/lost.csv'] = [() => 410];
    const run = await start('forgiving', '/lost.csv');
    await waitFor(async () => (await run.view()).approvals.length > 0, { what: 'the gate' });
    expect((await run.view()).steps[0]).toMatchObject({
      kind: 'fetch',
      status: 'failed',
      failure: { code: 'INVALID_INPUT' },
    });
    await run.decide('go', { decision: 'approved', by: 'ada' });
    expect(await run.result()).toBe('INVALID_INPUT');
  });
});
