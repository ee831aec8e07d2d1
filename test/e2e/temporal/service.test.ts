import { createServer, type AddressInfo } from 'node:net';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectTemporal } from '../../../client/temporal-connection.js';
import type { Config } from '../../../config/config.js';
import { readEmbeddedService, writeEmbeddedService } from '../../../config/embedded-service.js';
import { loadConfig } from '../../../config/load-config.js';
import type { MillraceError } from '../../../sdk/errors.js';
import { searchAttributes } from '../../../sdk/protocol/names.js';
import { isAlive, isRunning } from '../../../workers/temporal/service-process.js';
import { startTemporalService } from '../../../workers/temporal/service.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { buildStarter, started } from './starter.js';

async function newConfig(env: NodeJS.ProcessEnv = {}): Promise<Config> {
  const config = await loadConfig({ cwd: await temporaryFolder(), env });
  releaseAtEnd(async () => {
    const left = await readEmbeddedService(config.stateDir);
    if (left !== undefined && (await isRunning(left))) process.kill(left.pid, 'SIGKILL');
  });
  return config;
}

const failure = (work: Promise<unknown>): Promise<MillraceError> =>
  work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: MillraceError) => error,
  );

const gone = (pid: number) => waitFor(() => !isAlive(pid), { what: `process ${pid} to end` });

describeWith({ temporal: true }, 'the Temporal service of a project', () => {
  test('answers with the namespace and the search attributes, without our secrets, and is gone after stop', async () => {
    const config = await newConfig({ TEMPORAL_NAMESPACE: 'ml' });
    process.env['MILLRACE_SECRET_PROBE'] = 'do-not-hand-on';
    const service = await startTemporalService({ config });
    delete process.env['MILLRACE_SECRET_PROBE'];
    expect(service).toMatchObject({ owned: true, uiUrl: undefined, pid: expect.any(Number) });
    await expect(readEmbeddedService(config.stateDir)).resolves.toMatchObject({
      pid: service.pid,
      address: service.address,
      owner: process.pid,
    });
    if (process.platform === 'linux') {
      await expect(readFile(`/proc/${service.pid}/environ`, 'utf8')).resolves.not.toContain('do-not-hand-on');
    }
    // Found without being told where: by the record in the state directory.
    const { connection } = await connectTemporal(config);
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'ml' });
    expect(Object.keys(customAttributes)).toEqual(expect.arrayContaining(Object.values(searchAttributes)));
    await connection.close();

    await Promise.all([service.stop(), service.stop()]);
    expect(isAlive(service.pid ?? 0)).toBe(false);
    expect(existsSync(join(config.stateDir, 'temporal.json'))).toBe(false);
    expect(existsSync(join(config.stateDir, 'logs/temporal.log'))).toBe(true);
    expect((await failure(connectTemporal(config))).message).toContain('millrace dev');
  });

  test('keeps what it knows over a stop and over a crash, after which it comes back at the same address', async () => {
    const config = await newConfig();
    const describe = async (id: string) => {
      const { client, connection } = await connectTemporal(config);
      const { status } = await client.workflow.getHandle(id).describe();
      await connection.close();
      return status.name;
    };
    const first = await startTemporalService({ config });
    const { client, connection } = await connectTemporal(config);
    await client.workflow.start('waiting', { taskQueue: 'nobody', workflowId: 'kept' });
    await connection.close();
    await first.stop();

    let second = await startTemporalService({ config });
    await expect(describe('kept')).resolves.toBe('RUNNING');
    let third = second;
    // A connection of another test may hold the port at the moment it is wanted back: then it is tried again.
    for (let crash = 1; crash <= 3 && (third === second || third.address !== second.address); crash += 1) {
      second = third;
      process.kill(second.pid ?? 0, 'SIGKILL');
      await gone(second.pid ?? 0);
      third = await startTemporalService({ config });
    }
    expect(third).toMatchObject({ owned: true, address: second.address });
    expect(third.pid).not.toBe(second.pid);
    await expect(describe('kept')).resolves.toBe('RUNNING');
    await second.stop();
    expect(isAlive(third.pid ?? 0)).toBe(true);
    await third.stop();
  });

  test('is one for all who ask at the same moment, and only its starter ends it', async () => {
    const config = await newConfig();
    const starter = await buildStarter();
    const programs = [starter({ project: config.projectDir }), starter({ project: config.projectDir })];
    const here = await Promise.all([startTemporalService({ config }), startTemporalService({ config })]);
    const all = [...(await Promise.all(programs.map(started))), ...here];
    expect(new Set(all.map(({ pid }) => pid)).size).toBe(1);
    expect(all.filter(({ owned }) => owned)).toHaveLength(1);

    const pid = here[0].pid ?? 0;
    for (const service of here.filter(({ owned }) => !owned)) await service.stop();
    for (const [index, program] of programs.entries()) {
      if (all[index]?.owned === false) await program[Symbol.asyncDispose]();
    }
    expect(isAlive(pid)).toBe(true);
    for (const program of programs) await program[Symbol.asyncDispose]();
    for (const service of here) await service.stop();
    await gone(pid);
  });

  test('that was left by a process killed with SIGKILL is found again, used, and ended by who found it', async () => {
    const config = await newConfig();
    const program = (await buildStarter())({ project: config.projectDir });
    const { pid, address } = await started(program);
    program.kill('SIGKILL');
    await program.ended;
    const found = await startTemporalService({ config });
    expect(found).toMatchObject({ pid, address, owned: true });
    await found.stop();
    await gone(pid);
  });

  test('whose starter was killed before it answered is waited for, and no second one is started on its database', async () => {
    const config = await newConfig();
    const program = (await buildStarter())({ project: config.projectDir });
    const { pid } = await waitFor(() => readEmbeddedService(config.stateDir), { intervalMs: 1 });
    program.kill('SIGKILL');
    await program.ended;
    const found = await startTemporalService({ config });
    expect(found.pid).toBe(pid);
    await found.stop();
  });

  test.each(['SIGTERM', 'exit'] as const)(
    'ends with the process that started it (%s) unless it is detached',
    async (way) => {
      const starter = await buildStarter();
      for (const detached of [false, true]) {
        const config = await newConfig();
        const program = starter({
          project: config.projectDir,
          detached,
          afterwards: way === 'exit' ? 'exit' : 'stay',
        });
        const { pid } = await started(program);
        if (way === 'SIGTERM') program.kill('SIGTERM');
        await program.ended;
        if (!detached) {
          await gone(pid);
          continue;
        }
        const found = await startTemporalService({ config });
        expect(found).toMatchObject({ pid, owned: false });
        process.kill(pid, 'SIGTERM');
        await gone(pid);
      }
    },
  );

  test('is started anew when the record names another program of that pid', async () => {
    const config = await newConfig();
    await writeEmbeddedService(config.stateDir, {
      pid: process.pid,
      address: '127.0.0.1:1',
      startedAt: new Date().toISOString(),
      database: join(config.stateDir, 'temporal.db'),
    });
    const service = await startTemporalService({ config });
    expect(service).toMatchObject({ owned: true });
    expect(service.pid).not.toBe(process.pid);
    await service.stop();
  });

  test('shows its console when asked', async () => {
    const service = await startTemporalService({ config: await newConfig(), ui: true });
    const page = await waitFor(async () => (await fetch(service.uiUrl ?? '')).text());
    expect(page).toContain('<html');
    await service.stop();
  });

  test('listens at the port that was asked for; a taken one is named with what to do, before anything starts', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    const { port } = await waitFor(() => other.address() as AddressInfo | null);
    const config = await newConfig({ MILLRACE_TEMPORAL_PORT: String(port) });
    const error = await failure(startTemporalService({ config }));
    expect(error.code).toBe('PORT_TAKEN');
    expect(error.message).toContain(`Port ${port}`);
    expect(error.message).toContain('MILLRACE_TEMPORAL_PORT');
    await expect(readEmbeddedService(config.stateDir)).resolves.toBeUndefined();

    await new Promise((resolve) => other.close(resolve));
    const service = await startTemporalService({ config });
    expect(service.address).toBe(`127.0.0.1:${port}`);
    await service.stop();
  });

  test('that cannot start says what it said last and where its log is, and leaves no record', async () => {
    const config = await newConfig();
    await writeFile(
      join(config.stateDir, 'temporal.db'),
      'this is no database, but long enough to be taken for one'.repeat(20),
    );
    const error = await failure(startTemporalService({ config }));
    expect(error.code).toBe('TEMPORAL_UNAVAILABLE');
    expect(error.message).toMatch(/ended at its start with code 1: .*not a database/);
    expect(error.message).toContain(join(config.stateDir, 'logs/temporal.log'));
    await expect(readEmbeddedService(config.stateDir)).resolves.toBeUndefined();
  });

  test('is not left behind when the start is aborted', async () => {
    const config = await newConfig();
    const abort = new AbortController();
    const starting = failure(startTemporalService({ config, signal: abort.signal }));
    const { pid } = await waitFor(() => readEmbeddedService(config.stateDir), { intervalMs: 1 });
    abort.abort(new Error('changed my mind'));
    expect((await starting).message).toBe('changed my mind');
    expect(isAlive(pid)).toBe(false);
    await expect(readEmbeddedService(config.stateDir)).resolves.toBeUndefined();
  });
});

describeWith({ temporal: true }, 'a configured Temporal service', () => {
  test('is used and never stopped', async () => {
    const own = await startTemporalService({ config: await newConfig() });
    const config = await newConfig({ TEMPORAL_ADDRESS: own.address });
    const service = await startTemporalService({ config });
    expect(service).toMatchObject({ address: own.address, owned: false, pid: undefined });
    await service.stop();
    expect(isAlive(own.pid ?? 0)).toBe(true);
    expect(existsSync(join(config.stateDir, 'temporal.json'))).toBe(false);
    await own.stop();
  });

  test('that does not answer is named with its address and what to do', async () => {
    const config = await newConfig({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
    await mkdir(join(config.stateDir, 'logs'), { recursive: true });
    const error = await failure(startTemporalService({ config }));
    expect(error.code).toBe('TEMPORAL_UNAVAILABLE');
    expect(error.message).toContain('127.0.0.1:1 does not answer: nothing listens there');
    expect(error.message).toContain('TEMPORAL_ADDRESS');
  });
});
