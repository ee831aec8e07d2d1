import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, renameSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { searchAttributes } from '../../sdk/protocol/names.js';

export type DevServerOptions = {
  /** Path of the `temporal` executable. */
  readonly cli: string;
  readonly port: number;
  /** Port of its console; without one it has none. */
  readonly uiPort: number | undefined;
  readonly namespace: string;
  readonly database: string;
  readonly logFile: string;
};

export type DevServer = {
  readonly process: ChildProcess;
  /** What this start has written to the log file so far. */
  readonly output: () => Promise<string>;
};

const maxLogBytes = 10 * 2 ** 20;

/**
 * Settings measured on two cores against the server's defaults: a sequential no-op activity took 19 ms instead of 81 ms with
 * the first, a 20 ms timer 70 ms instead of 1005 ms with the second (it is how far apart the clocks of a cluster's hosts may
 * be; here there is one host).
 */
const dynamicConfig = [
  'history.transferProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxTimeShift="10ms"',
];
/** 1,000 parallel activities took 10 s instead of 23 to 59 s. A crash of the process loses nothing with these. */
const pragmas = ['journal_mode=WAL', 'synchronous=NORMAL'];

/** Starts Temporal's dev server in a process group of its own, so that Ctrl-C at the terminal reaches only who must drain first. */
export function spawnDevServer(options: DevServerOptions): DevServer {
  const { from, descriptor } = openLog(options.logFile);
  try {
    const child = spawn(options.cli, serverArguments(options), {
      detached: true,
      stdio: ['ignore', descriptor, descriptor],
      env: serverEnvironment(),
    });
    child.unref();
    const output = async () => (await readFile(options.logFile)).subarray(from).toString('utf8');
    return { process: child, output };
  } finally {
    closeSync(descriptor);
  }
}

/** The log of many starts goes on in one file; a large one is put aside. */
function openLog(file: string): { readonly from: number; readonly descriptor: number } {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > maxLogBytes) renameSync(file, `${file}.1`);
  return { from: size > maxLogBytes ? 0 : size, descriptor: openSync(file, 'a') };
}

function serverArguments({ port, uiPort, namespace, database }: DevServerOptions): readonly string[] {
  const options = {
    '--ip': '127.0.0.1',
    '--port': String(port),
    '--namespace': namespace,
    '--db-filename': database,
    '--log-level': 'error',
    ...(uiPort !== undefined && { '--ui-port': String(uiPort) }),
  };
  return [
    'server',
    'start-dev',
    ...(uiPort === undefined ? ['--headless'] : []),
    ...Object.entries(options).flat(),
    ...pragmas.flatMap((pragma) => ['--sqlite-pragma', pragma]),
    ...dynamicConfig.flatMap((setting) => ['--dynamic-config-value', setting]),
    ...Object.values(searchAttributes).flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
  ];
}

/** It needs nothing of ours: no secret, and no TEMPORAL_ variable that is meant for the CLI as a client. */
const serverEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    ['PATH', 'HOME', 'TMPDIR', 'LANG'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
