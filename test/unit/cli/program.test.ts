import { createProgram } from '../../../cli/program.js';
import { runCli } from '../../support/run-cli.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const program = () => createProgram('1.2.3');

test('every command has a description and examples in its help', () => {
  const { commands } = program();
  expect(commands.map((command) => command.name())).toEqual([
    'demo', 'dev', 'worker', 'run', 'runs', 'show', 'logs', 'why', 'approve', 'reject', 'cancel', 'pause', 'resume', 'repair', 'recover', 'debug', 'step', 'replay', 'check', 'models',
    'artifacts', 'store', 'cache', 'gc', 'backup', 'restore', 'outbox', 'hosts', 'lineage', 'doctor',
  ]); // prettier-ignore
  for (const command of commands.flatMap((each) => [each, ...each.commands])) {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    expect(help).toContain('Usage: millrace ');
    expect(help).toContain(command.name());
    expect(command.description()).not.toBe('');
    expect(help).toMatch(/\nExamples:\n {2}\$ /);
    expect(help).toContain('--json');
  }
});

test.each([
  [['rnu'], "unknown command 'rnu'", 'Did you mean run?'],
  [['run', 'x', '--wiat'], "unknown option '--wiat'", 'Did you mean --wait?'],
  [['run'], "missing required argument 'pipeline'", ''],
  [['reject', 'last', 'release'], "required option '-r, --reason <text>' not specified", ''],
  [['runs', '--status', 'done'], "argument 'done' is invalid", 'Allowed choices are running, completed'],
  [['runs', '--limit', '0'], "argument '0' is invalid", 'Expected a whole number from 1'],
  [['demo', '--yes', '--reject'], "option '--reject' cannot be used with option '-y, --yes'", ''],
])('%p is refused: %s', async (args, says, suggests) => {
  const error: unknown = await program()
    .parseAsync(args, { from: 'user' })
    .catch((caught: unknown) => caught);
  expect(error).toMatchObject({ message: expect.stringContaining(says) });
  expect((error as Error).message).toContain(suggests);
});

describe('the command as a process', () => {
  const lastLine = (text: string) => text.trimEnd().split('\n').at(-1) ?? '';

  test('a wrong command line ends with 2 and one block on stderr', async () => {
    const end = await runCli(['rnu']);
    expect(end).toMatchObject({ exitCode: 2, stdout: '' });
    expect(end.stderr).toBe(
      "error USAGE: Unknown command 'rnu'.\n  → Did you mean run? See `millrace --help`.\n",
    );
  }, 120_000);

  test('with --json the error is an object on the last line of stdout', async () => {
    const end = await runCli(['--json', 'run', 'x', '--input', 'oops'], { cwd: await temporaryFolder() });
    expect(end.exitCode).toBe(2);
    expect(JSON.parse(lastLine(end.stdout))).toEqual({
      error: { code: 'USAGE', message: expect.stringContaining('--input') as unknown },
    });
  }, 120_000);

  test('without a worker `run` ends with 3, and the stack is printed only when it is asked for', async () => {
    const cwd = await temporaryFolder();
    const end = await runCli(['run', 'x'], { cwd });
    expect(end).toMatchObject({ exitCode: 3, stdout: '' });
    expect(end.stderr).toMatch(/^error NO_BUILD: .*\n {2}→ Start `millrace dev`/);
    expect(end.stderr).not.toContain('    at ');
    const loud = await runCli(['run', 'x'], { cwd, env: { MILLRACE_DEBUG: '1' } });
    expect(loud.stderr).toContain('    at ');
  }, 120_000);

  test('--cwd works as if started there, and a folder that is not there is refused', async () => {
    const cwd = await temporaryFolder();
    const end = await runCli(['--cwd', cwd, 'runs', '--json']);
    expect(end).toMatchObject({ exitCode: 0, stdout: '{"runs":[]}\n' });
    expect(await runCli(['--cwd', `${cwd}/nope`, 'runs'])).toMatchObject({ exitCode: 2 });
  }, 120_000);

  test('the version is that of the package, and help has every exit code', async () => {
    expect((await runCli(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const { stdout, exitCode } = await runCli(['--help']);
    expect(exitCode).toBe(0);
    for (const code of [0, 1, 2, 3, 4, 5, 130]) expect(stdout).toMatch(new RegExp(`^ {2}${code}\\s`, 'm'));
  }, 120_000);
});
