import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { releaseAtEnd } from './release-at-end.js';

export type LineageServer = {
  readonly url: string;
  /** Bodies it took, in order. */
  readonly events: readonly unknown[];
  readonly headers: IncomingMessage['headers'][];
  /** Status of its answers; 200 and 201 take the event. */
  answer: number;
  readonly refused: () => number;
  close(): Promise<void>;
};

/** A service that takes lineage events, and can be told to refuse them. @param port default any free one */
export async function lineageServer(port = 0): Promise<LineageServer> {
  const events: unknown[] = [];
  const headers: IncomingMessage['headers'][] = [];
  let refused = 0;
  const state = { answer: 201 };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      headers.push(request.headers);
      if (state.answer < 300) events.push(JSON.parse(Buffer.concat(parts).toString()));
      else refused += 1;
      response.writeHead(state.answer).end(state.answer < 300 ? '' : 'not now');
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    if (!server.listening) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  releaseAtEnd(close);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/lineage`,
    events,
    headers,
    get answer() {
      return state.answer;
    },
    set answer(status) {
      state.answer = status;
    },
    refused: () => refused,
    close,
  };
}
