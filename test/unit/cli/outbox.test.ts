import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import Database from 'libsql';
import { outboxCheck } from '../../../cli/doctor/check-outbox.js';
import { loadConfig } from '../../../config/load-config.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { runCli } from '../../support/run-cli.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

async function projectWith(messages: number) {
  const cwd = await temporaryFolder();
  await writeFile(path.join(cwd, 'package.json'), '{}');
  const config = await loadConfig({ cwd, env: {} });
  await using catalog = await openCatalog(config.catalog);
  await catalog.outbox.append(
    Array.from({ length: messages }, (_, index) => ({ receiver: 'openlineage', key: `run-1 ${index + 1}`, body: {} })),
  ); // prettier-ignore
  return { cwd, config };
}

test('the outbox lists what waits, and gives up what it is told to, by position, all of it, or with its receiver', async () => {
  const { cwd, config } = await projectWith(4);
  await using catalog = await openCatalog(config.catalog);
  const [head] = await catalog.outbox.claim({ receiver: 'openlineage', holder: 'me', leaseMs: 1 });
  const nextAt = new Date(Date.now() + 60_000);
  await catalog.outbox.fail({ receiver: 'openlineage', holder: 'me', position: head!.position, error: 'answered 400: \u001b[31mno', nextAt }); // prettier-ignore
  const outbox = (...args: readonly string[]) => runCli(['outbox', ...args], { cwd });
  /** What a command prints that succeeds. */
  const printed = async (...args: readonly string[]) => {
    const end = await outbox(...args);
    expect(end).toMatchObject({ exitCode: 0, stderr: '' });
    return end.stdout;
  };
  expect((await outbox('ls')).stdout).toMatch(/RECEIVER.*\nopenlineage +4 .* 1 .*answered 400: no\n$/);
  expect((await outbox('ls', 'openlineage', '-n', '2')).stdout).toMatch(/POSITION.*\n1 +run-1 1.*no\n2 +run-1 2.*\n$/); // prettier-ignore
  expect(await printed('retry')).toBe('1 put off, due now: a worker sends it.\n');
  expect(await printed('drop', 'openlineage', '1')).toBe('1 dropped.\n');
  expect(await printed('drop', 'openlineage', '--all', '--json')).toBe('{"dropped":3}\n');
  expect((await outbox('ls', 'openlineage')).stderr).toBe('Nothing waits for openlineage.\n');
  expect(await printed('drop', 'openlineage', '--forget')).toBe('0 dropped.\n');
  expect(JSON.parse((await outbox('ls', '--json')).stdout)).toEqual({ receivers: [] });
  expect(await outbox('drop', 'openlineage')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--forget') }); // prettier-ignore
  expect(await outbox('ls', 'nobody')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('no receiver `nobody`') }); // prettier-ignore
}, 120_000);

test('doctor warns of what has waited for long, with its error', async () => {
  const { config } = await projectWith(0);
  expect(await outboxCheck.look(config)).toEqual({ status: 'ok', says: 'nothing is sent to anybody' });
  const { config: waiting } = await projectWith(2);
  expect(await outboxCheck.look(waiting)).toEqual({ status: 'ok', says: 'openlineage: 2 waiting' });
  const file = new Database(waiting.catalog.slice('sqlite:'.length));
  file.exec(`update outbox set created_at = '2026-01-01T00:00:00.000Z', error = 'ECONNREFUSED'`);
  file.close();
  expect(await outboxCheck.look(waiting)).toEqual({
    status: 'warn',
    says: '2 waiting for openlineage since 2026-01-01T00:00:00.000Z: ECONNREFUSED',
    todo: expect.stringContaining('millrace outbox retry'),
  });
});
