import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { packageRoot } from '../../support/build-package.js';
import { buildPackage } from '../../support/build-package.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { runProgram, startProgram } from '../../support/run-program.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

describeWith({ temporal: true }, 'the packed package in a folder of its own, by the README', () => {
  let folder: string;
  let environment: Record<string, string>;
  const run = async (command: string, args: readonly string[], options: { cwd?: string } = {}) => {
    const end = await runProgram(command, args, {
      cwd: folder,
      env: environment,
      timeoutMs: 300_000,
      ...options,
    });
    if (end.exitCode !== 0)
      throw new Error(
        `${command} ${args.join(' ')} ended with ${end.exitCode}:\n${end.stdout}\n${end.stderr}`,
      );
    return end;
  };
  const millrace = (...args: readonly string[]) => run('npx', ['--no-install', 'millrace', ...args]);

  beforeAll(async () => {
    await buildPackage();
    folder = await temporaryFolder();
    environment = {
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      npm_config_prefer_offline: 'true',
      MILLRACE_EXECUTOR: 'process',
    };
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], {
      cwd: packageRoot,
    });
    const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as { filename: string }[];
    await run('npm', ['init', '-y']);
    await run('npm', ['install', `./${packed?.filename}`]);
    const readme = await readFile(path.join(packageRoot, 'README.md'), 'utf8');
    for (const name of ['fit.steps.ts', 'fit.pipeline.ts'])
      await writeFile(path.join(folder, name), codeAfter(readme, `\`${name}\``));
    await writeFile(path.join(folder, 'program.ts'), codeAfter(readme, 'From a program'));
    const dev = startProgram(process.execPath, ['node_modules/.bin/millrace', 'dev'], {
      cwd: folder,
      env: environment,
    });
    releaseAtEnd(() => dev[Symbol.asyncDispose]());
    await waitFor(async () => (await millrace('run', 'fit', '--dry-run')).exitCode === 0, {
      what: `millrace dev:\n${dev.stdout()}${dev.stderr()}`,
      timeoutMs: 120_000,
      intervalMs: 500,
    });
  }, 600_000);

  test('runs, waits and prints the result', async () => {
    const { stdout } = await millrace('run', 'fit', '--input', '{"points": 20}', '--wait', '--json');
    expect(JSON.parse(lastLine(stdout))).toMatchObject({ status: 'completed', output: { rows: 20 } });
    expect((await millrace('show', 'last')).stdout).toContain('enough');
  });

  test('a typed client starts runs from a program', async () => {
    const typescript = path.join(packageRoot, 'node_modules/typescript/bin/tsc');
    const flags = [
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--lib',
      'es2023,esnext.disposable',
      '--strict',
      '--types',
      'node',
      '--typeRoots',
      path.join(packageRoot, 'node_modules/@types'),
      '--skipLibCheck',
    ];
    await run('npm', ['pkg', 'set', 'type=module']);
    await run(process.execPath, [typescript, ...flags, 'program.ts']);
    expect((await run(process.execPath, ['program.js'])).stdout).toContain('{ rows: 20 }');
    const wrong = codeAfter(
      await readFile(path.join(packageRoot, 'README.md'), 'utf8'),
      'From a program',
    ).replace('points: 20', "points: 'x'");
    await writeFile(path.join(folder, 'wrong.ts'), wrong);
    const refused = await runProgram(process.execPath, [typescript, ...flags, '--noEmit', 'wrong.ts'], {
      cwd: folder,
    });
    expect(refused.stdout).toMatch(/wrong\.ts.*Type 'string' is not assignable to type 'number/);
  });

  test("a saved change is the next run's code", async () => {
    const file = path.join(folder, 'fit.pipeline.ts');
    await writeFile(
      file,
      (await readFile(file, 'utf8')).replace('return { rows };', 'return { rows, changed: true };'),
    );
    await waitFor(
      async () =>
        JSON.parse(lastLine((await millrace('run', 'fit', '--wait', '--json')).stdout)).output.changed ===
        true,
      { what: 'the new build', timeoutMs: 60_000, intervalMs: 500 },
    );
  });

  test('one protobufjs serves histories here too', async () => {
    const script = `const { historyFromJSON } = require('@temporalio/common/lib/proto-utils'); console.log(historyFromJSON({ events: [{ eventId: '1', eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED', workflowExecutionStartedEventAttributes: { workflowType: { name: 'fit' } } }] }).events.length)`;
    expect((await run(process.execPath, ['--input-type=commonjs', '-e', script])).stdout.trim()).toBe('1');
  });
});

/** The first TypeScript block after a text. */
function codeAfter(markdown: string, text: string): string {
  const code = /```ts\n([\s\S]*?)```/.exec(markdown.slice(markdown.indexOf(text)))?.[1];
  if (code === undefined) throw new Error(`README.md has no code after ${text}`);
  return code;
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';
