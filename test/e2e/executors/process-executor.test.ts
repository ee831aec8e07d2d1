import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createProcessExecutor } from '../../../activities/executors/process-executor.js';
import { describeWith } from '../../support/describe-with.js';
import { executorContract, tryWith } from './executor-contract.js';

describeWith({ python: true }, 'the process executor', () => {
  const executor = createProcessExecutor();

  executorContract({
    attempt: () => tryWith(executor),
    python: 'python3',
    environment: () => ['HOME', 'LANG', 'PATH', 'TMPDIR'],
    uid: process.getuid?.() ?? 0,
  });

  test('leaves no temporary files, also where its secrets cannot be written', async () => {
    const run = tryWith(executor);
    const { log } = await run({ command: ['sh', '-c', 'touch "$TMPDIR/x"; echo "$TMPDIR"'] });
    expect(existsSync(path.dirname(log[0]!.slice('out '.length)))).toBe(false);
    const before = await readdir(tmpdir());
    const secrets = [{ name: 'not a name', value: 'x', env: false }];
    await expect(run({ command: ['true'], given: { secrets } })).rejects.toThrow(/name of a secret/);
    const after = (await readdir(tmpdir())).filter((name) => !before.includes(name));
    expect(after.filter((name) => !name.startsWith('millrace-test-'))).toEqual([]);
  });

  test('can run steps here', async () => {
    expect(await executor.unavailable()).toBeUndefined();
  });
});
