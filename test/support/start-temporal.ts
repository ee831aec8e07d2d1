import { Connection } from '@temporalio/client';
import { searchAttributes } from '../../sdk/protocol/names.js';
import { freePort } from './free-port.js';
import { realPart } from './real-parts.js';
import { releaseAtEnd } from './release-at-end.js';
import { type RunningProgram, startProgram } from './run-program.js';
import { waitFor } from './wait-for.js';

export type TemporalOptions = {
  /** File the service keeps its state in, so that another start goes on with it. Default: in memory. */
  readonly database?: string;
  /** Default: a free one. */
  readonly port?: number;
};

export type TestTemporal = AsyncDisposable & {
  /** host:port */
  readonly address: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it at once, as a crash would. */
  readonly kill: () => Promise<void>;
};

/** A Temporal dev server of this test file's own, with the settings the product uses. It answers when this resolves and ends with the file. */
export async function startTemporal(options: TemporalOptions = {}): Promise<TestTemporal> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const server = startProgram(executable(), serverArguments(port, options.database));
    releaseAtEnd(() => server[Symbol.asyncDispose]());
    try {
      await answers(server, `127.0.0.1:${port}`);
      return handle(server, port);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      // Another program may have taken the port, or one of those the server chooses for itself, in between.
      if (attempt === 3 || !server.stderr().includes('address already in use')) throw error;
    }
  }
}

function executable(): string {
  const part = realPart('temporal');
  if ('missing' in part) throw new Error(part.missing);
  return part.found;
}

function serverArguments(port: number, database: string | undefined): readonly string[] {
  const start = `server start-dev --headless --ip 127.0.0.1 --port ${port} --log-level error`;
  // As in workers/temporal/dev-server.ts.
  const pace = [
    '--dynamic-config-value history.transferProcessorMaxPollRPS=2000',
    '--dynamic-config-value history.timerProcessorMaxTimeShift="10ms"',
  ];
  const attributes = Object.values(searchAttributes).map((name) => `--search-attribute ${name}=Keyword`);
  const words = [start, ...pace, ...attributes].join(' ').split(' ');
  if (database === undefined) return words;
  const pragmas = '--sqlite-pragma journal_mode=WAL --sqlite-pragma synchronous=NORMAL'.split(' ');
  return [...words, ...pragmas, '--db-filename', database];
}

async function answers(server: RunningProgram, address: string): Promise<void> {
  const ended = server.ended.then(({ exitCode, stdout, stderr }) => {
    throw new Error(`The Temporal dev server ended with ${exitCode}:\n${stdout}${stderr}`);
  });
  ended.catch(() => undefined);
  await Promise.race([
    ended,
    waitFor(() => ask(address), { what: `Temporal at ${address}`, timeoutMs: 60_000 }),
  ]);
}

async function ask(address: string): Promise<true> {
  const connection = await Connection.connect({ address, connectTimeout: '2s' });
  try {
    await connection.withDeadline(Date.now() + 2000, () =>
      connection.workflowService.describeNamespace({ namespace: 'default' }),
    );
    return true;
  } finally {
    await connection.close();
  }
}

function handle(server: RunningProgram, port: number): TestTemporal {
  return {
    address: `127.0.0.1:${port}`,
    port,
    pid: server.pid,
    async kill() {
      server.kill('SIGKILL');
      await server.ended;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
