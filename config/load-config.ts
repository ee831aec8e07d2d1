import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { ConfigInvalid } from '../sdk/errors.js';
import type { Config } from './config.js';
import { hostMemory } from './host-memory.js';
import { loadConfigFile } from './load-config-file.js';
import { notifyTargets } from './notify-setting.js';
import { findProjectDir } from './project-dir.js';
import {
  address,
  count,
  duration,
  eventTarget,
  flag,
  httpUrl,
  oneOf,
  path,
  port,
  positive,
  secret,
  size,
  storeUrl,
  text,
  url,
} from './setting-kinds.js';
import type { ConfigProblem, SettingsReader } from './settings-reader.js';
import { settingsReader } from './settings-reader.js';
import { openStateDir } from './state-dir.js';

export type LoadConfigOptions = {
  /** Where the search for the project begins, and what relative paths in variables mean. Default: the process's. */
  readonly cwd?: string;
  /** Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
};

/**
 * The configuration of the project that `cwd` lies in: defaults, then its millrace.config file, then the environment.
 * Makes the state directory where it is missing.
 * @throws ConfigInvalid naming every wrong setting with its source
 */
export async function loadConfig({
  cwd = process.cwd(),
  env = process.env,
}: LoadConfigOptions = {}): Promise<Config> {
  const project = findProjectDir(cwd);
  const reader = settingsReader({
    file: project.configFile === undefined ? undefined : await loadConfigFile(project.configFile),
    filePath: project.configFile,
    env,
    fileBase: project.dir,
    envBase: resolve(cwd),
  });
  const config = readSettings(reader, project.dir);
  const problems = reader.problems();
  if (problems.length > 0) throw invalid(problems);
  return { ...config, installation: await openStateDir(config.stateDir) };
}

function readSettings({ read }: SettingsReader, projectDir: string): Omit<Config, 'installation'> {
  const stateDir = read('stateDir', 'MILLRACE_STATE_DIR', path) ?? join(projectDir, '.millrace');
  const queue = read('queue', 'MILLRACE_QUEUE', queueName) ?? 'millrace';
  const apiKey = read('temporal.apiKey', 'TEMPORAL_API_KEY', secret);
  const key = read('s3.kmsKey', 'MILLRACE_S3_KMS_KEY', kmsKey);
  return {
    projectDir,
    stateDir,
    queue,
    temporal: {
      address: read('temporal.address', 'TEMPORAL_ADDRESS', address),
      namespace: read('temporal.namespace', 'TEMPORAL_NAMESPACE', namespaceName) ?? 'default',
      apiKey,
      tls: read('temporal.tls', 'TEMPORAL_TLS', flag) ?? apiKey !== undefined,
      port: read('temporal.port', 'MILLRACE_TEMPORAL_PORT', port),
    },
    catalog: read('catalog', 'MILLRACE_CATALOG', url(catalogs)) ?? `sqlite:${join(stateDir, 'catalog.db')}`,
    store: read('store', 'MILLRACE_STORE', storeUrl) ?? `file:${join(stateDir, 'artifacts')}`,
    s3: {
      endpoint: read('s3.endpoint', 'MILLRACE_S3_ENDPOINT', httpUrl),
      region: read('s3.region', 'MILLRACE_S3_REGION', region),
      pathStyle: read('s3.pathStyle', 'MILLRACE_S3_PATH_STYLE', flag),
      encryption:
        read('s3.encryption', 'MILLRACE_S3_ENCRYPTION', oneOf(['bucket', 's3', 'kms'])) ??
        (key === undefined ? 'bucket' : 'kms'),
      kmsKey: key,
    },
    storeCache: {
      dir: read('storeCache.dir', 'MILLRACE_STORE_CACHE_DIR', path) ?? join(stateDir, 'cache', 'blobs'),
      size: read('storeCache.size', 'MILLRACE_STORE_CACHE_SIZE', size) ?? 50 * 2 ** 30,
    },
    worker: {
      executor: read('worker.executor', 'MILLRACE_EXECUTOR', oneOf(['auto', 'docker', 'process'])) ?? 'auto',
      cpus: read('worker.cpus', 'MILLRACE_CPUS', positive) ?? availableParallelism(),
      memory: read('worker.memory', 'MILLRACE_MEMORY', size) ?? Math.floor(hostMemory() * 0.9),
      gpus: read('worker.gpus', 'MILLRACE_GPUS', count) ?? 0,
      shutdownGraceMs: read('worker.shutdownGrace', 'MILLRACE_SHUTDOWN_GRACE', duration) ?? 10_000,
      onStop: read('worker.onStop', 'MILLRACE_ON_STOP', oneOf(['hand-over', 'stop'])) ?? 'hand-over',
      logRate: read('worker.logRate', 'MILLRACE_LOG_RATE', size) ?? 2 ** 20,
      logBurst: read('worker.logBurst', 'MILLRACE_LOG_BURST', size) ?? 16 * 2 ** 20,
    },
    adoptWithinMs: read('adoptWithin', 'MILLRACE_ADOPT_WITHIN', duration) ?? 60_000,
    secrets: {
      dir: read('secrets.dir', 'MILLRACE_SECRETS_DIR', path),
      envPrefix: read('secrets.envPrefix', 'MILLRACE_SECRETS_ENV_PREFIX', envPrefix) ?? 'MILLRACE_SECRET_',
    },
    cache: {
      default: read('cache.default', 'MILLRACE_CACHE', flag) ?? false,
      ttlMs: read('cache.ttl', 'MILLRACE_CACHE_TTL', duration),
    },
    notify: read('notify', 'MILLRACE_NOTIFY', notifyTargets) ?? [],
    lineage: {
      openLineage: read('lineage.openLineage', 'MILLRACE_OPENLINEAGE_URL', eventTarget),
      openLineageSecret: read('lineage.openLineageSecret', 'MILLRACE_OPENLINEAGE_SECRET', secretName),
      namespace: read('lineage.namespace', 'MILLRACE_OPENLINEAGE_NAMESPACE', namespaceName) ?? queue,
    },
    logLevel: read('logLevel', 'MILLRACE_LOG_LEVEL', logLevel) ?? 'info',
  };
}

const catalogs = { sqlite: 'path', postgres: 'url', postgresql: 'url' } as const;
const queueName = text('a name of letters, digits, `.`, `_`, `-`', /^[a-z0-9][\w.-]*$/i);
const namespaceName = text('a namespace name', /^\S+$/);
const region = text('the name of a region, such as `eu-central-1`', /^[a-z0-9-]+$/);
const kmsKey = text('id, alias or ARN of a key', /^\S+$/);
const envPrefix = text('the beginning of a variable name: letters, digits, `_`', /^[a-z_]\w*$/i);
const secretName = text('the name of a secret', /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/);
const logLevel = oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent']);

function invalid(problems: readonly ConfigProblem[]): ConfigInvalid {
  const lines = problems.map(({ setting, source, message }) => `  ${setting} (${source}): ${message}`);
  const head = problems.length === 1 ? 'A setting is wrong' : `${problems.length} settings are wrong`;
  return new ConfigInvalid(`${head}:\n${lines.join('\n')}\n`, {
    hint: 'docs/configuration.md lists every setting.',
    fields: { problems },
  });
}
