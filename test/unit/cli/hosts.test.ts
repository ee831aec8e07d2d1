import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { loadConfig } from '../../../config/load-config.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { runCli } from '../../support/run-cli.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

test('hosts are listed, and a person may say of a silent one, and of no other, that it is gone', async () => {
  const cwd = await temporaryFolder();
  await writeFile(path.join(cwd, 'package.json'), '{}');
  const hosts = (...args: readonly string[]) => runCli(['hosts', ...args], { cwd });
  expect(await hosts()).toMatchObject({
    exitCode: 0,
    stdout: '',
    stderr: expect.stringContaining('No worker'),
  });

  const config = await loadConfig({ cwd, env: {} });
  await using catalog = await openCatalog(config.catalog);
  const { queue } = config;
  const silent = { queue, name: 'gpu', seenAt: '2026-01-01T00:00:00.000Z', gone: false };
  // Further away than this test may take.
  const live = { ...silent, name: 'cpu', seenAt: new Date(Date.now() + 3_600_000).toISOString() };
  await catalog.hosts.beat({ ...silent, id: 'aa01' });
  await catalog.hosts.beat({ ...silent, id: 'aa02' });
  await catalog.hosts.beat({ ...live, id: 'bb01' });
  await catalog.hosts.beat({ ...silent, id: 'cc01', queue: 'other' });
  expect((await hosts('ls')).stdout).toMatch(
    /^HOST.*\ncpu +bb01 +live .*\ngpu +aa0\d +silent .*\ngpu +aa0\d +silent .*\n$/,
  );

  expect(await hosts('gone', 'aa02')).toMatchObject({
    exitCode: 0,
    stdout: 'gpu (aa02) is gone: nobody waits for it any more.\n',
  });
  expect(await catalog.hosts.find('aa02')).toMatchObject({ gone: true, seenAt: silent.seenAt });
  expect(await catalog.hosts.find('aa01')).toMatchObject({ gone: false });
  expect(JSON.parse((await hosts('ls', '--json')).stdout)).toMatchObject({
    hosts: [{ id: 'bb01', state: 'live' }, expect.anything(), expect.anything()],
  });

  for (const [named, says] of [
    ['bb', 'Host `cpu` (bb01) lives'],
    ['gpu', '`gpu` fits 2 hosts'],
    ['cc01', 'There is no host `cc01`'],
  ] as const)
    expect(await hosts('gone', named)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(says) });
  expect(await catalog.hosts.find('bb01')).toMatchObject({ gone: false });
}, 120_000);
