import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildSync } from 'esbuild';
import type { Config } from '../../../config/config.js';
import { hostMemory } from '../../../config/host-memory.js';
import { loadConfig } from '../../../config/load-config.js';
import { packageRoot } from '../../../config/package-root.js';
import type { MillraceError } from '../../../sdk/errors.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

async function project(files: Readonly<Record<string, string>> = { 'package.json': '{}' }): Promise<string> {
  const dir = await temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(dir, name, '..'), { recursive: true });
    await writeFile(join(dir, name), content);
  }
  return dir;
}

const failure = async (load: Promise<Config>): Promise<MillraceError> =>
  load.then(
    () => {
      throw new Error('the config was accepted');
    },
    (error: MillraceError) => error,
  );

const problems = (error: MillraceError) =>
  (error.fields['problems'] as { setting: string; source: string; message: string }[]).map(
    ({ setting, source, message }) => `${setting} | ${source} | ${message}`,
  );

describe('where the project is', () => {
  test('the nearest folder upwards with a millrace.config file wins over a nearer package.json', async () => {
    const dir = await project({
      'millrace.config.mjs': 'export default {}',
      'app/package.json': '{}',
      'app/src/a.txt': '',
    });
    expect((await loadConfig({ cwd: join(dir, 'app/src'), env: {} })).projectDir).toBe(dir);
  });

  test('without a config file it is the nearest folder with a package.json', async () => {
    const dir = await project({ 'package.json': '{}', 'src/deep/a.txt': '' });
    expect((await loadConfig({ cwd: join(dir, 'src/deep'), env: {} })).projectDir).toBe(dir);
  });

  test('with neither it is the folder itself', async () => {
    const dir = await project({});
    expect((await loadConfig({ cwd: dir, env: {} })).projectDir).toBe(dir);
  });
});

test('without a file and variables every setting has its documented default', async () => {
  const dir = await project();
  const { installation, ...config } = await loadConfig({ cwd: dir, env: {} });
  expect(installation).toMatch(/^[0-9a-f]{16}$/);
  expect(config).toEqual({
    projectDir: dir,
    stateDir: join(dir, '.millrace'),
    queue: 'millrace',
    adoptWithinMs: 60_000,
    temporal: { address: undefined, namespace: 'default', apiKey: undefined, tls: false, port: undefined },
    catalog: `sqlite:${join(dir, '.millrace/catalog.db')}`,
    store: `file:${join(dir, '.millrace/artifacts')}`,
    s3: {
      endpoint: undefined,
      region: undefined,
      pathStyle: undefined,
      encryption: 'bucket',
      kmsKey: undefined,
    },
    storeCache: { dir: join(dir, '.millrace/cache/blobs'), size: 50 * 2 ** 30 },
    worker: {
      executor: 'auto',
      cpus: availableParallelism(),
      memory: Math.floor(hostMemory() * 0.9),
      gpus: 0,
      shutdownGraceMs: 10_000,
      onStop: 'hand-over',
      logRate: 2 ** 20,
      logBurst: 16 * 2 ** 20,
    },
    secrets: { dir: undefined, envPrefix: 'MILLRACE_SECRET_' },
    cache: { default: false, ttlMs: undefined },
    notify: [],
    lineage: { openLineage: undefined, openLineageSecret: undefined, namespace: 'millrace' },
    logLevel: 'info',
  });
});

const everySetting = `
  import { defineConfig } from 'millrace';
  import { queue } from './settings/queue';
  export default defineConfig({
    stateDir: 'state', queue, catalog: 'sqlite:data/c.db', store: 's3://bucket/ml', logLevel: 'warn',
    s3: { endpoint: 'https://s3.example.org:9000', region: 'eu-central-1', pathStyle: false, encryption: 's3', kmsKey: 'alias/ml' },
    storeCache: { dir: '/srv/cache', size: '10GiB' },
    temporal: { address: '[::1]:7233', namespace: 'ml', apiKey: 'k', tls: false, port: 7500 },
    worker: { executor: 'process', cpus: 1.5, memory: '4GiB', gpus: 2, shutdownGrace: '1.5 minutes', logRate: '200KiB', logBurst: '2MiB' },
    secrets: { dir: './secrets', envPrefix: 'TEAM_' },
    cache: { default: true, ttl: '2 days' },
    notify: [{ url: 'https://hooks.example.org/a', secret: 'HOOK' }, { command: ['./tell.sh', '-v'], on: ['parked'] }],
    lineage: { openLineage: 'file:events.jsonl', openLineageSecret: 'OL', namespace: 'risk' },
  });`;

test('a TypeScript config sets everything in human units, with paths from its own folder and imports of its own', async () => {
  const dir = await project({
    'millrace.config.ts': everySetting,
    'settings/queue.ts': `export const queue: string = 'team';`,
    'sub/a.txt': '',
  });
  await mkdir(join(dir, 'node_modules'));
  await symlink(packageRoot(), join(dir, 'node_modules/millrace'));
  const { installation: _, ...config } = await loadConfig({ cwd: join(dir, 'sub'), env: {} });
  expect(config).toEqual({
    projectDir: dir,
    stateDir: join(dir, 'state'),
    queue: 'team',
    adoptWithinMs: 60_000,
    temporal: { address: '[::1]:7233', namespace: 'ml', apiKey: 'k', tls: false, port: 7500 },
    catalog: `sqlite:${join(dir, 'data/c.db')}`,
    store: 's3://bucket/ml',
    s3: {
      endpoint: 'https://s3.example.org:9000',
      region: 'eu-central-1',
      pathStyle: false,
      encryption: 's3',
      kmsKey: 'alias/ml',
    },
    storeCache: { dir: '/srv/cache', size: 10 * 2 ** 30 },
    worker: {
      executor: 'process',
      cpus: 1.5,
      memory: 4 * 2 ** 30,
      gpus: 2,
      shutdownGraceMs: 90_000,
      onStop: 'hand-over',
      logRate: 200 * 2 ** 10,
      logBurst: 2 * 2 ** 20,
    },
    secrets: { dir: join(dir, 'secrets'), envPrefix: 'TEAM_' },
    cache: { default: true, ttlMs: 172_800_000 },
    notify: [
      {
        name: 'hooks.example.org',
        url: 'https://hooks.example.org/a',
        secret: 'HOOK',
        on: ['failed', 'parked', 'overdue'],
      },
      { name: 'tell.sh', command: ['./tell.sh', '-v'], on: ['parked'] },
    ],
    lineage: { openLineage: `file:${join(dir, 'events.jsonl')}`, openLineageSecret: 'OL', namespace: 'risk' },
    logLevel: 'warn',
  });
});

test.each([
  ['[{"url":"https://hooks.example.org/t0ken"},{"url":"https://hooks.example.org/other"}]'],
  ['[{"url":"https://user:pw@hooks.example.org/t0ken"}]'],
  ['[{"url":"https://hooks.example.org/t0ken","on":["broken"]}]'],
  ['[{"url":"https://hooks.example.org/t0ken","command":["x"]}]'],
  ['[{"command":[]}]'],
  ['https://hooks.example.org/t0ken'],
])('whom to notify is refused when it is wrong, and never shown: %s', async (text) => {
  const wrong = loadConfig({ cwd: await project({}), env: { MILLRACE_NOTIFY: text } });
  await expect(wrong).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/notify \(MILLRACE_NOTIFY\): expected an array of \{ url, secret\? \}/),
  });
  await expect(wrong).rejects.not.toThrow(/t0ken/);
});

test('the environment wins over the file, and an empty variable is none', async () => {
  const dir = await project({
    'millrace.config.mjs': `export default { queue: 'file', logLevel: 'warn', worker: { cpus: 1, gpus: 1 } }`,
    'sub/a.txt': '',
  });
  const config = await loadConfig({
    cwd: join(dir, 'sub'),
    env: {
      MILLRACE_QUEUE: 'env', MILLRACE_LOG_LEVEL: '', MILLRACE_CPUS: '2.5', MILLRACE_MEMORY: '512MiB', MILLRACE_GPUS: '3',
      MILLRACE_SHUTDOWN_GRACE: '250', MILLRACE_STATE_DIR: 'here', MILLRACE_CATALOG: 'sqlite:c.db', MILLRACE_STORE: 'file:s',
      MILLRACE_EXECUTOR: 'docker', MILLRACE_TEMPORAL_PORT: '7999', MILLRACE_SECRETS_DIR: '/run/secrets', MILLRACE_SECRETS_ENV_PREFIX: 'S_',
      TEMPORAL_ADDRESS: 'temporal:7233', TEMPORAL_NAMESPACE: 'prod', TEMPORAL_API_KEY: 'key',
      MILLRACE_S3_ENDPOINT: 'http://s3:9000', MILLRACE_S3_REGION: 'here', MILLRACE_S3_PATH_STYLE: '1', MILLRACE_S3_KMS_KEY: 'k',
      MILLRACE_STORE_CACHE_DIR: 'blobs', MILLRACE_STORE_CACHE_SIZE: '1GiB',
      MILLRACE_OPENLINEAGE_URL: 'https://lineage.example/api/v1/lineage', MILLRACE_OPENLINEAGE_SECRET: 'OL2',
    },
  }); // prettier-ignore
  expect(config).toMatchObject({
    projectDir: dir,
    stateDir: join(dir, 'sub/here'),
    queue: 'env',
    logLevel: 'warn',
    catalog: `sqlite:${join(dir, 'sub/c.db')}`,
    store: `file:${join(dir, 'sub/s')}`,
    s3: { endpoint: 'http://s3:9000', region: 'here', pathStyle: true, encryption: 'kms', kmsKey: 'k' },
    storeCache: { dir: join(dir, 'sub/blobs'), size: 2 ** 30 },
    temporal: { address: 'temporal:7233', namespace: 'prod', apiKey: 'key', tls: true, port: 7999 },
    worker: {
      executor: 'docker',
      cpus: 2.5,
      memory: 512 * 2 ** 20,
      gpus: 3,
      shutdownGraceMs: 250,
      onStop: 'hand-over',
      logRate: 2 ** 20,
      logBurst: 16 * 2 ** 20,
    },
    secrets: { dir: '/run/secrets', envPrefix: 'S_' },
    lineage: {
      openLineage: 'https://lineage.example/api/v1/lineage',
      openLineageSecret: 'OL2',
      namespace: 'env',
    },
  });
});

test('a CommonJS config file is read as well', async () => {
  const dir = await project({
    'millrace.config.js': `module.exports = { queue: require('node:path').basename(__dirname + '/cjs') }`,
  });
  expect((await loadConfig({ cwd: dir, env: {} })).queue).toBe('cjs');
});

describe('what is wrong', () => {
  test('every wrong setting is named at once with its source, what was expected and what was given', async () => {
    const dir = await project({
      'millrace.config.mjs': `export default { queue: 'a b', temporal: 'localhost:7233', worker: { cpus: 'two', memory: '4 bananas', gpus: -1, executor: 'podman' } }`,
    });
    const file = join(dir, 'millrace.config.mjs');
    const error = await failure(
      loadConfig({
        cwd: dir,
        env: {
          TEMPORAL_ADDRESS: 'localhost',
          MILLRACE_TEMPORAL_PORT: '70000',
          TEMPORAL_TLS: 'maybe',
          MILLRACE_STORE: 'gs://b',
          MILLRACE_OPENLINEAGE_URL: 'kafka://lineage',
        },
      }),
    );
    expect(error.code).toBe('CONFIG_INVALID');
    expect(problems(error)).toEqual([
      `queue | ${file} | expected a name of letters, digits, \`.\`, \`_\`, \`-\`, got "a b" (string)`,
      'temporal.address | TEMPORAL_ADDRESS | expected host:port, got "localhost" (string)',
      'temporal.tls | TEMPORAL_TLS | expected true or false, got "maybe" (string)',
      'temporal.port | MILLRACE_TEMPORAL_PORT | expected a port from 1 to 65535, got "70000" (string)',
      'store | MILLRACE_STORE | expected `file:<path>` or `s3://<bucket>/<prefix>`, got "gs://b" (string)',
      `worker.executor | ${file} | expected one of auto, docker, process, got "podman" (string)`,
      `worker.cpus | ${file} | expected a number above 0, got "two" (string)`,
      `worker.memory | ${file} | expected a size above 0: bytes, or a text like '4GiB', got "4 bananas" (string)`,
      `worker.gpus | ${file} | expected a whole number from 0, got -1 (number)`,
      'lineage.openLineage | MILLRACE_OPENLINEAGE_URL | expected `http://…`, `https://…` or `file:<path>`, got "kafka://lineage" (string)',
      `temporal | ${file} | expected an object, got "localhost:7233" (string)`,
    ]);
    expect(error.message).toContain('11 settings are wrong');
    expect(error.message).toContain(
      `  worker.cpus (${file}): expected a number above 0, got "two" (string)\n`,
    );
  });

  test('an unknown key is refused with the nearest known one, also when it stands in the wrong group', async () => {
    const dir = await project({
      'millrace.config.mjs': `export default { queu: 'a', memory: 1, worker: { cpu: 2, shutdownGraceMs: 5 } }`,
    });
    const error = await failure(loadConfig({ cwd: dir, env: {} }));
    expect(problems(error).map((text) => text.replace(/ \| .* \| /, ' -> '))).toEqual([
      'queu -> there is no such setting, the nearest is `queue`',
      'memory -> there is no such setting, the nearest is `worker.memory`',
      'worker.cpu -> there is no such setting, the nearest is `worker.cpus`',
      'worker.shutdownGraceMs -> there is no such setting, the nearest is `worker.shutdownGrace`',
    ]);
  });

  test('a wrong API key is not repeated', async () => {
    const dir = await project({
      'millrace.config.mjs': `export default { temporal: { apiKey: 4815162342 } }`,
    });
    const error = await failure(loadConfig({ cwd: dir, env: {} }));
    expect(error.message).toContain('temporal.apiKey');
    expect(error.message).not.toContain('4815162342');
    expect(JSON.stringify(error.fields)).not.toContain('4815162342');
  });

  test('a catalog may be a PostgreSQL URL, taken as it is, and one that is wrong never shows its password', async () => {
    const dir = await project({ 'package.json': '{}' });
    const read = (url: string) => loadConfig({ cwd: dir, env: { MILLRACE_CATALOG: url } });
    for (const url of ['postgres://a:b%2F@h:5432/db?sslmode=verify-full', 'postgresql:///db?host=/run/postgresql'])
      expect((await read(url)).catalog).toBe(url);
    const wrong = ['postgre://ann:pass@h/db', 'postgres:ann:pass@h/db', 'postgres://ann:p@ss:pass@[::/db', 'mysql://h/db?password=pass'];
    for (const url of wrong) {
      const error = await failure(read(url));
      expect(error.message).toContain('expected `sqlite:<path>` or `postgres://…` or `postgresql://…`, got "');
      expect(error.message).not.toContain('pass@');
      expect(JSON.stringify(error.fields)).not.toMatch(/ann|=pass/);
    }
  }); // prettier-ignore

  test.each([
    [
      'does not compile',
      `export default {`,
      /millrace\.config\.ts cannot be compiled: .*millrace\.config\.ts:1/,
    ],
    [
      'throws',
      `throw new Error('no vault today')`,
      /millrace\.config\.ts threw while it was loaded: no vault today/,
    ],
    [
      'imports what is not there',
      `import x from 'no-such-package'; export default x`,
      /threw while it was loaded: .*no-such-package/,
    ],
    [
      'exports no default',
      `export const queue = 'a'`,
      /has no object as its default export \(got undefined\)/,
    ],
    ['exports a promise', `export default Promise.resolve({})`, /has no object as its default export/],
  ])('a config file that %s is named', async (_, content, message) => {
    const dir = await project({ 'millrace.config.ts': content });
    const error = await failure(loadConfig({ cwd: dir, env: {} }));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toMatch(message);
    await expect(readdir(dir)).resolves.toEqual(['millrace.config.ts']);
  });

  test('a state directory that cannot be made is named', async () => {
    const dir = await project({ 'package.json': '{}', taken: 'a file' });
    const error = await failure(loadConfig({ cwd: dir, env: { MILLRACE_STATE_DIR: 'taken' } }));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain(join(dir, 'taken'));
    expect(error.message).toContain('MILLRACE_STATE_DIR');
  });
});

describe('the state directory', () => {
  test('keeps itself out of git when it is made, and an existing folder is left as it is', async () => {
    const dir = await project({ 'package.json': '{}', 'mine/keep.txt': '' });
    await loadConfig({ cwd: dir, env: {} });
    await expect(readFile(join(dir, '.millrace/.gitignore'), 'utf8')).resolves.toBe('*\n');
    await loadConfig({ cwd: dir, env: { MILLRACE_STATE_DIR: 'mine' } });
    await expect(readdir(join(dir, 'mine'))).resolves.toEqual(['installation', 'keep.txt']);
  });

  test('has one installation id for all who ask, also at the same moment', async () => {
    const dir = await project();
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => (await loadConfig({ cwd: dir, env: {} })).installation),
    );
    expect(new Set(ids).size).toBe(1);
    await expect(readdir(join(dir, '.millrace'))).resolves.toEqual(['.gitignore', 'installation']);
    expect((await loadConfig({ cwd: await project(), env: {} })).installation).not.toBe(ids[0]);
  });

  test('whose id was damaged is refused', async () => {
    const dir = await project({ 'package.json': '{}', '.millrace/installation': 'oops' });
    expect((await failure(loadConfig({ cwd: dir, env: {} }))).message).toContain(
      join(dir, '.millrace/installation'),
    );
  });
});

test('memory is the smaller of the host and its control group, and none is no limit', () => {
  expect(hostMemory(8e9, 2e9)).toBe(2e9);
  expect(hostMemory(8e9, 0)).toBe(8e9);
  expect(hostMemory(8e9, 2 ** 63)).toBe(8e9);
  expect(hostMemory()).toBeLessThanOrEqual(totalmem());
});

test('in plain Node a config that imports packages loads, and without one the compiler is not loaded and it takes no 10 ms', async () => {
  const dir = await project({
    'millrace.config.ts': `import { name } from 'some-esm'; export default { queue: name };`,
    'node_modules/some-esm/package.json': '{"name":"some-esm","type":"module","exports":"./index.js"}',
    'node_modules/some-esm/index.js': `export const name = 'from-esm';`,
    'probe.ts': `
      import { loadConfig } from ${JSON.stringify(join(packageRoot(), 'config/load-config.ts'))};
      import { packageRoot } from ${JSON.stringify(join(packageRoot(), 'config/package-root.ts'))};
      import { createRequire } from 'node:module';
      const times = [];
      for (let i = 0; i < 5; i++) {
        const from = performance.now();
        await loadConfig({ cwd: process.argv[3], env: { MILLRACE_STATE_DIR: 'state' + i } });
        times.push(performance.now() - from);
      }
      const loaded = Object.keys(createRequire(import.meta.url).cache).filter((file) => file.includes('/esbuild/'));
      const { queue } = await loadConfig({ cwd: process.argv[2], env: {} });
      console.log(JSON.stringify({ times, loaded, queue }));`,
  });
  // Here as it is built for users: native ESM, no jest around it.
  buildSync({
    entryPoints: [join(dir, 'probe.ts')],
    outfile: join(dir, 'probe.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['esbuild'],
    nodePaths: [join(packageRoot(), 'node_modules')],
    logLevel: 'silent',
  });
  await symlink(join(packageRoot(), 'node_modules/esbuild'), join(dir, 'node_modules/esbuild'));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    join(dir, 'probe.mjs'),
    dir,
    await project(),
  ]);
  const seen = JSON.parse(stdout) as { times: number[]; loaded: string[]; queue: string };
  expect(stderr).toBe('');
  expect(seen.queue).toBe('from-esm');
  expect(seen.loaded).toEqual([]);
  expect(Math.min(...seen.times)).toBeLessThan(10);
});
