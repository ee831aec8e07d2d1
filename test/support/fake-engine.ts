import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import Docker from 'dockerode';
import { releaseAtEnd } from './release-at-end.js';
import { temporaryFolder } from './temporary-folder.js';

/** Answers by method and the path's end: `POST /containers/create`. What has none never gets an answer. */
export type EngineAnswers = Readonly<
  Record<string, { readonly status: number; readonly json?: unknown } | ((answer: ServerResponse) => void)>
>;

export type FakeEngine = {
  readonly docker: Docker;
  readonly socketPath: string;
  /** Calls so far, as `POST /containers/abc/start`. */
  readonly calls: readonly string[];
};

/** A Docker engine that hangs: it takes every call and answers only some. Ends with the file. */
export async function fakeEngine(answers: EngineAnswers): Promise<FakeEngine> {
  const calls: string[] = [];
  const server = createServer((request, response) => {
    request.resume();
    const call = callOf(request);
    calls.push(call);
    const answer = Object.entries(answers).find(([pattern]) => matches(call, pattern))?.[1];
    if (typeof answer === 'function') answer(response);
    else if (answer)
      response
        .writeHead(answer.status, { 'content-type': 'application/json' })
        .end(answer.json === undefined ? '' : JSON.stringify(answer.json));
  });
  const socketPath = path.join(await temporaryFolder(), 'engine.sock');
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  releaseAtEnd(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { docker: new Docker({ socketPath }), socketPath, calls };
}

const callOf = ({ method, url = '' }: IncomingMessage): string =>
  `${method} ${new URL(url, 'http://engine').pathname}`;

function matches(call: string, pattern: string): boolean {
  const [method = '', end = ''] = pattern.split(' ');
  return call.startsWith(`${method} `) && call.endsWith(end);
}
