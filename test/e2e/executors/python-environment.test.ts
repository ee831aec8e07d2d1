import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createProcessExecutor } from '../../../activities/executors/process-executor.js';
import { describeWith } from '../../support/describe-with.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { tryWith } from './executor-contract.js';

describeWith({ python: true }, 'the virtual environment of a source', () => {
  let cache: string;
  beforeAll(async () => {
    cache = await temporaryFolder();
  });
  const executor = () => createProcessExecutor({ env: { ...process.env, XDG_CACHE_HOME: cache } });
  const environments = async () =>
    (await readdir(path.join(cache, 'millrace/venvs')).catch(() => [])).filter((name) =>
      /^[0-9a-f]{32}-/.test(name),
    );

  async function sourceWith(requirements: string): Promise<string> {
    const source = await temporaryFolder();
    await writeFile(path.join(source, 'requirements.txt'), requirements);
    return source;
  }

  const command = ['python', '-c', 'import six, sys; print(six.__version__, sys.prefix)'];

  test('is made once for steps that start at a time, and first on the path', async () => {
    const source = await sourceWith('six==1.17.0\n');
    // Two executors know nothing of each other, as in two processes.
    const tried = await Promise.all(
      [executor(), executor()].map((each) => tryWith(each)({ command, given: { source } })),
    );
    const [made, ...others] = await environments();
    expect(others).toEqual([]);
    for (const { end, log } of tried) {
      expect(log).toEqual([`out 1.17.0 ${path.join(cache, 'millrace/venvs', made!)}`]);
      expect(end.packages).toContain('six==1.17.0');
    }
    const from = performance.now();
    await tryWith(executor())({ command, given: { source: await sourceWith('six==1.17.0\n') } });
    expect(performance.now() - from).toBeLessThan(3_000);
    expect(await environments()).toHaveLength(1);
  });

  test('tells of the installing while it goes on, and no longer', async () => {
    const details: string[] = [];
    const source = await sourceWith('# told of\nsix==1.17.0\n');
    await tryWith(executor())({ command, given: { source }, onDetail: (detail) => details.push(detail) });
    expect(details).toEqual(['installing requirements.txt', '']);
  });

  test('gets neither secrets nor settings of the worker while packages are built', async () => {
    const own = await temporaryFolder();
    await writeOwnPackage(own);
    const source = await sourceWith(`own @ file://${own}\n`);
    const env = { ...process.env, XDG_CACHE_HOME: cache, MILLRACE_SECRET_TOKEN: 'tops3cret' };
    const attempt = tryWith(createProcessExecutor({ env }))({ command, given: { source } });
    const error = await attempt.then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).toContain('TOKEN is None');
  });

  test('shows the last lines of pip where it fails, and leaves nothing half made', async () => {
    const before = await environments();
    const attempt = tryWith(executor())({
      command,
      given: { source: await sourceWith('six==999.0\n') },
    });
    await expect(attempt).rejects.toMatchObject({ code: 'DEPENDENCIES_FAILED' });
    await expect(attempt).rejects.toThrow(/No matching distribution found for six==999.0/);
    expect(await environments()).toEqual(before);
  });

  test('says what to install where the host has no Python', async () => {
    const env = { ...process.env, XDG_CACHE_HOME: cache, PATH: await temporaryFolder() };
    const attempt = tryWith(createProcessExecutor({ env }))({
      command,
      given: { source: await sourceWith('six==1.17.0\n') },
    });
    await expect(attempt).rejects.toThrow(/this host has no Python.*Install Python 3 with venv/);
  });
});

async function writeOwnPackage(folder: string): Promise<void> {
  await writeFile(
    path.join(folder, 'setup.py'),
    'import os\nraise SystemExit("TOKEN is %s" % os.environ.get("MILLRACE_SECRET_TOKEN"))\n',
  );
}
