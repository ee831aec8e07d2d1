import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { TypedSearchAttributes, defineSearchAttributeKey } from '@temporalio/common';
import { ensureSearchAttributes } from '../../../client/search-attributes.js';
import { connectTemporal } from '../../../client/temporal-connection.js';
import type { Config } from '../../../config/config.js';
import { writeEmbeddedService } from '../../../config/embedded-service.js';
import { loadConfig } from '../../../config/load-config.js';
import type { MillraceError } from '../../../sdk/errors.js';
import { searchAttributes } from '../../../sdk/protocol/names.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { startTemporal } from '../../support/start-temporal.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const newConfig = async (env: NodeJS.ProcessEnv = {}): Promise<Config> =>
  loadConfig({ cwd: await temporaryFolder(), env });

const failure = async (env: NodeJS.ProcessEnv, options: Parameters<typeof connectTemporal>[1] = {}) =>
  connectTemporal(await newConfig(env), options).then(
    () => {
      throw new Error('it connected');
    },
    (error: MillraceError) => error,
  );

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  releaseAtEnd(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('a service that cannot be connected to', () => {
  test('because nothing listens or the host is unknown is named at once', async () => {
    const from = performance.now();
    expect((await failure({ TEMPORAL_ADDRESS: '127.0.0.1:1' })).message).toBe(
      'The Temporal service at 127.0.0.1:1 does not answer: nothing listens there. Start it, or correct TEMPORAL_ADDRESS; without an address `millrace dev` starts a service of its own.',
    );
    const unknown = await failure({ TEMPORAL_ADDRESS: 'nowhere.invalid:7233' });
    expect(unknown).toMatchObject({
      code: 'TEMPORAL_UNAVAILABLE',
      fields: { reason: 'unreachable', address: 'nowhere.invalid:7233' },
    });
    expect(performance.now() - from).toBeLessThan(2_000);
  });

  test('because it takes connections and says nothing is given up within the time', async () => {
    const address = await listening(
      createServer((socket) => void socket.resume().on('error', () => undefined)),
    );
    const from = performance.now();
    const error = await failure({ TEMPORAL_ADDRESS: address }, { timeoutMs: 1_000 });
    expect(error.code).toBe('TEMPORAL_UNAVAILABLE');
    expect(error.message).toContain(address);
    expect(performance.now() - from).toBeLessThan(3_000);
  });

  test('because something else answers there says so', async () => {
    const address = await listening(createHttpServer((_, response) => response.end('hello')));
    const error = await failure({ TEMPORAL_ADDRESS: address }, { timeoutMs: 1_000 });
    expect(error).toMatchObject({ code: 'TEMPORAL_UNAVAILABLE', fields: { reason: 'not temporal' } });
    expect(error.message).toContain('TEMPORAL_TLS');
  });

  test('because an aborted signal says so ends with its reason', async () => {
    const address = await listening(
      createServer((socket) => void socket.resume().on('error', () => undefined)),
    );
    const from = performance.now();
    const error = await failure({ TEMPORAL_ADDRESS: address }, { signal: AbortSignal.timeout(200) });
    expect(error.name).toBe('TimeoutError');
    expect(performance.now() - from).toBeLessThan(2_000);
  });

  test('because none runs for the state directory says how to start one', async () => {
    const error = await failure({});
    expect(error).toMatchObject({ code: 'TEMPORAL_UNAVAILABLE', fields: { reason: 'none' } });
    expect(error.message).toContain('millrace dev');
  });
});

describeWith({ temporal: true }, 'a service that answers', () => {
  let address: string;
  beforeAll(async () => {
    ({ address } = await startTemporal());
  });

  async function connectTo(namespace: string) {
    const { connection } = await connectTemporal(await newConfig({ TEMPORAL_ADDRESS: address }));
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    await connection.close();
    const connected = await connectTemporal(
      await newConfig({ TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace }),
    );
    releaseAtEnd(() => connected.connection.close());
    return connected;
  }

  test('and lacks the namespace is named with the namespace', async () => {
    const error = await failure({ TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: 'missing' });
    expect(error).toMatchObject({ code: 'TEMPORAL_UNAVAILABLE', fields: { reason: 'namespace' } });
    expect(error.message).toContain(`The Temporal service at ${address} has no namespace \`missing\``);
  });

  test('is found through the record of the state directory', async () => {
    const config = await newConfig();
    await writeEmbeddedService(config.stateDir, {
      pid: 1,
      address,
      startedAt: '2026-01-01T00:00:00Z',
      database: 'none',
    });
    await using connected = await connectTemporal(config);
    expect(connected.address).toBe(address);
  });

  test('gets the search attributes it lacks, and runs that bear them start at once and are found by them', async () => {
    const { client, connection } = await connectTo('plain');
    await expect(ensureSearchAttributes(connection, 'plain')).resolves.toBeUndefined();
    const pipeline = defineSearchAttributeKey(searchAttributes.pipeline, 'KEYWORD');
    await client.workflow.start('any', {
      taskQueue: 'nobody',
      workflowId: 'one',
      typedSearchAttributes: new TypedSearchAttributes([{ key: pipeline, value: 'mortgage' }]),
    });
    await expect(ensureSearchAttributes(connection, 'plain')).resolves.toBeUndefined();
    const { customAttributes } = await connection.operatorService.listSearchAttributes({
      namespace: 'plain',
    });
    expect(Object.keys(customAttributes)).toEqual(expect.arrayContaining(Object.values(searchAttributes)));
  });

  test('and has one of them with another type gets a warning that names it', async () => {
    const { connection } = await connectTo('odd');
    await connection.operatorService.addSearchAttributes({
      namespace: 'odd',
      searchAttributes: { [searchAttributes.status]: 3 },
    });
    const warning = await ensureSearchAttributes(connection, 'odd');
    expect(warning).toContain('MillraceStatus of namespace odd');
    expect(warning).toContain('Keyword');
  });

  test('and refuses to name its attributes gets a warning with the command that adds them', async () => {
    const { connection } = await connectTemporal(await newConfig({ TEMPORAL_ADDRESS: address }));
    const warning = await ensureSearchAttributes(connection, 'not-a-namespace');
    expect(warning).toContain(
      'temporal operator search-attribute create -n not-a-namespace --name MillracePipeline --type Keyword',
    );
    await connection.close();
  });
});
