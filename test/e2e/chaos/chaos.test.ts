import path from 'node:path';
import { buildPackage, packageRoot } from '../../support/build-package.js';
import { describeWith } from '../../support/describe-with.js';
import { runProgram } from '../../support/run-program.js';

jest.setTimeout(600_000);

describeWith({ temporal: true, docker: true, s3: true, mount: true }, 'the chaos suite, in short', () => {
  test('finds every run completed, each effect once, nothing left and no log lost, whatever went away meanwhile', async () => {
    await buildPackage();
    const { exitCode, stdout, stderr } = await runProgram(
      process.execPath,
      [path.join(packageRoot, 'test/chaos/run.mjs'), '--short', '--runs', '4', '--at-once', '2', '--faults-at-once', '4', '--seed', '1'],
      { cwd: packageRoot, timeoutMs: 580_000 },
    ); // prettier-ignore
    const summary = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Readonly<Record<string, unknown>>;
    // What is off stands there.
    const found = stderr.split('\n').filter((line) => /^[a-z ]+: /.test(line));
    expect({ found: exitCode === 0 ? [] : found, summary }).toMatchObject({
      found: [],
      summary: { runs: 4, completed: 4, orphans: 0, doubled: 0, lostLogs: 0, untrue: 0, seed: 1 },
    });
    // Every kind was dealt once; one that came too late for its step did not happen.
    expect(summary['faults']).toBeGreaterThanOrEqual(6);
    expect(exitCode).toBe(0);
  });
});
