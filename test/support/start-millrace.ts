import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pino } from 'pino';
import type { MillraceClient } from '../../client/index.js';
import { createClient } from '../../client/index.js';
import type { Config } from '../../config/config.js';
import { loadConfig } from '../../config/load-config.js';
import type { WorkerHost, WorkerHostOptions } from '../../workers/worker-host.js';
import { startWorkerHost } from '../../workers/worker-host.js';
import { releaseAtEnd } from './release-at-end.js';
import type { TestTemporal } from './start-temporal.js';
import { startTemporal } from './start-temporal.js';
import { temporaryFolder } from './temporary-folder.js';

export type MillraceOptions = {
  /** Files of the project, by path. */
  readonly files: Readonly<Record<string, string>>;
  /** Settings as environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  readonly build?: WorkerHostOptions['build'];
  readonly onBuild?: WorkerHostOptions['onBuild'];
  /** A service that several projects of a test share. */
  readonly temporal?: TestTemporal;
};

export type TestMillrace = {
  readonly project: string;
  readonly config: Config;
  readonly temporal: TestTemporal;
  readonly client: MillraceClient;
  readonly host: WorkerHost;
  /** Another worker host on the same project. */
  readonly startHost: (options?: Partial<WorkerHostOptions>) => Promise<WorkerHost>;
};

/** A project in a folder of its own, with a real service, a worker host in this process and a client. Ends with the file. */
export async function startMillrace({
  files,
  env = {},
  build,
  onBuild,
  ...options
}: MillraceOptions): Promise<TestMillrace> {
  const project = await temporaryFolder();
  await writeProject(project, { 'package.json': '{"name":"test-project","type":"module"}', ...files });
  const temporal = options.temporal ?? (await startTemporal());
  const config = await loadConfig({
    cwd: project,
    env: { MILLRACE_QUEUE: path.basename(project), MILLRACE_SHUTDOWN_GRACE: '1 s', ...env },
  });
  const { address } = temporal;
  const logger = pino({ level: process.env['MILLRACE_TEST_LOG'] ?? 'silent' });
  const startHost = async (more: Partial<WorkerHostOptions> = {}) => {
    const host = await startWorkerHost({
      config,
      address,
      logger,
      ...(build && { build }),
      ...(onBuild && { onBuild }),
      ...more,
    });
    releaseAtEnd(() => host.stop());
    return host;
  };
  const host = await startHost();
  const client = await createClient({ config, address });
  releaseAtEnd(() => client[Symbol.asyncDispose]());
  return { project, config, temporal, client, host, startHost };
}

export async function writeProject(project: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(project, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}
