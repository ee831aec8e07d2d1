import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { postWebhook } from '../../../notify/post-webhook.js';
import { releaseAtEnd } from '../../support/release-at-end.js';

async function service(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer((request, response) => {
    request.resume().on('end', () => answer(request, response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  releaseAtEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const post = (path: string) =>
    postWebhook(`${origin}${path}`, { id: 'msg_1', body: '{}', signal: AbortSignal.timeout(20_000) });
  return { origin, post };
}

/** Writes for as long as anybody reads. */
function forever(response: ServerResponse): void {
  const more = () => {
    while (!response.destroyed && response.write('and so on '.repeat(100)));
  };
  response.on('drain', more);
  more();
}

const path = '/services/T0001/tops3cret%2Dword?token=an0ther-word';

test.each([
  ['where it was asked', (url: string) => `Cannot POST ${url}`, 'Cannot POST …'],
  ['the path of it', (url: string) => `no ${url.split('?')[0]} here`, 'no … here'],
  ['a part of it', () => 'no hook tops3cret%2Dword, nor an0ther-word', 'no hook …, nor …'],
  ['a part of it in plain letters', () => 'no hook tops3cret-word', 'no hook …'],
  ['it again and again', (url: string) => `${url} `.repeat(100), /^[… ]+$/],
])('a service that says %s in its refusal does not give it away', async (_what, words, said) => {
  const { origin, post } = await service(({ url = '' }, response) => response.writeHead(404).end(words(url)));
  const refused: unknown = await post(path).catch((error: unknown) => error);
  const { message } = refused as Error;
  const start = `${origin} answered 404: `;
  expect(message.slice(0, start.length)).toBe(start);
  expect(message.slice(start.length)).toMatch(typeof said === 'string' ? new RegExp(`^${said}$`) : said);
});

test('an address without a path hides nothing of what was said', async () => {
  const { origin, post } = await service((_request, response) => response.writeHead(503).end('a/b: not now'));
  await expect(post('/')).rejects.toThrow(`${origin} answered 503: a/b: not now`);
});

test('an answer without an end is read at its beginning only', async () => {
  const { post } = await service((request, response) => {
    response.writeHead(request.url === '/well' ? 200 : 500);
    forever(response);
  });
  await expect(post('/well')).resolves.toBeUndefined();
  await expect(post('/ill')).rejects.toThrow(/answered 500: and so on .{180,200}$/);
});
