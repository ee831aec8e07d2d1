import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { releaseAtEnd } from './release-at-end.js';

/** What a request meets instead of the server. `pass` hands it on; `afterBytes` breaks the connection once so many bytes of the answer passed. */
export type Fault =
  | { readonly kind: 'pass' }
  | { readonly kind: 'status'; readonly status: number; readonly code: string }
  | { readonly kind: 'reset' }
  | { readonly kind: 'cut'; readonly afterBytes: number }
  | { readonly kind: 'slow'; readonly pauseMs: number };

export type FaultyProxy = {
  readonly endpoint: string;
  /** `METHOD path?query` of every request that came. */
  readonly requests: string[];
  /** Asked for each request; default: all pass. */
  judge: (request: IncomingMessage) => Fault;
  /** Nobody listens any more, and open connections break. */
  readonly vanish: () => Promise<void>;
  readonly comeBack: () => Promise<void>;
};

/** An HTTP proxy in front of a server on this machine that goes wrong as told. It ends with the test file. */
export async function startFaultyProxy(port: number): Promise<FaultyProxy> {
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  const server = createServer((incoming, response) => {
    requests.push(`${incoming.method} ${incoming.url}`);
    answer(incoming, response, { fault: proxy.judge(incoming), port });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  const listen = async (at: number): Promise<void> => {
    server.listen(at, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(0);
  const own = (server.address() as AddressInfo).port;
  const proxy: FaultyProxy = {
    endpoint: `http://127.0.0.1:${own}`,
    requests,
    judge: () => ({ kind: 'pass' }),
    async vanish() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.resetAndDestroy();
      await closed;
    },
    comeBack: () => listen(own),
  };
  releaseAtEnd(async () => {
    if (server.listening) await proxy.vanish();
  });
  return proxy;
}

function answer(
  incoming: IncomingMessage,
  response: ServerResponse,
  { fault, port }: { readonly fault: Fault; readonly port: number },
): void {
  if (fault.kind === 'reset') return void incoming.socket.resetAndDestroy();
  if (fault.kind === 'status') {
    incoming.resume();
    response.writeHead(fault.status, { 'content-type': 'application/xml' });
    return void response.end(`<Error><Code>${fault.code}</Code><Message>Told to fail.</Message></Error>`);
  }
  const { method, url, headers } = incoming;
  const onward = request({ host: '127.0.0.1', port, method, path: url, headers });
  const broken = (): void => void incoming.socket.destroy();
  onward.on('error', broken);
  onward.on('response', (answered) => {
    response.writeHead(answered.statusCode ?? 502, answered.headers);
    let passed = 0;
    answered.on('error', broken);
    answered.on('data', (chunk: Buffer) => {
      passed += chunk.length;
      if (fault.kind === 'cut' && passed > fault.afterBytes) {
        answered.destroy();
        return void incoming.socket.resetAndDestroy();
      }
      response.write(chunk);
      if (fault.kind === 'slow') {
        answered.pause();
        setTimeout(() => answered.resume(), fault.pauseMs);
      }
    });
    answered.on('end', () => response.end());
  });
  if (fault.kind !== 'slow') return void incoming.pipe(onward);
  incoming.on('data', (chunk: Buffer) => {
    onward.write(chunk);
    incoming.pause();
    setTimeout(() => incoming.resume(), fault.pauseMs);
  });
  incoming.on('end', () => onward.end());
}
