import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeWith } from '../../support/describe-with.js';
import { runProgram, startProgram } from '../../support/run-program.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

describe('waitFor', () => {
  test('returns the first value that is there', async () => {
    let looks = 0;
    expect(await waitFor(() => (++looks < 3 ? undefined : looks), { intervalMs: 1 })).toBe(3);
  });

  test('says what it waited for, and why the last look failed, when time is up', async () => {
    const look = () => Promise.reject(new Error('nobody home'));
    const waiting = waitFor(look, { what: 'the door to open', timeoutMs: 20, intervalMs: 1 });
    await expect(waiting).rejects.toMatchObject({
      message: 'Waited 20 ms for the door to open in vain',
      cause: { message: 'nobody home' },
    });
  });
});

describe('runProgram', () => {
  test('gives exit code, output and error output, and passes input, folder and environment', async () => {
    const code = `process.stdin.on('data', (text) => {
      console.log(process.cwd(), process.env.COLOUR, process.env.JEST_WORKER_ID, String(text));
      console.error('bad');
      process.exitCode = 3;
    })`;
    const cwd = await temporaryFolder();
    const end = await runProgram(process.execPath, ['-e', code], {
      cwd,
      env: { COLOUR: 'red' },
      input: 'hello',
    });
    expect(end).toEqual({ exitCode: 3, stdout: `${cwd} red undefined hello\n`, stderr: 'bad\n' });
  });

  test('kills a program that takes too long and shows what it printed', async () => {
    const code = "console.log('here'); setInterval(() => {}, 1e6)";
    const running = runProgram(process.execPath, ['-e', code], { timeoutMs: 2000 });
    await expect(running).rejects.toThrow(/still ran after 2000 ms; it printed:\nhere/);
  });

  test('rejects for a program that is not there', async () => {
    await expect(runProgram('no-such-program', [])).rejects.toThrow('ENOENT');
  });

  test('a started program is gone once disposed', async () => {
    const program = startProgram(process.execPath, ['-e', "console.log('up'); setInterval(() => {}, 1e6)"]);
    await waitFor(() => program.stdout().includes('up'));
    await program[Symbol.asyncDispose]();
    expect(() => process.kill(program.pid, 0)).toThrow('ESRCH');
  });
});

describe('temporaryFolder', () => {
  const registered: (() => Promise<void>)[] = [];
  let isolated: typeof temporaryFolder;

  beforeAll(async () => {
    // A second copy of the module, whose afterAll is ours to call.
    const hook = jest
      .spyOn(globalThis, 'afterAll')
      .mockImplementation((run) => void registered.push(run as () => Promise<void>));
    await jest.isolateModulesAsync(async () => {
      ({ temporaryFolder: isolated } = await import('../../support/temporary-folder.js'));
    });
    hook.mockRestore();
  });

  test('is empty, new each time, and gone with its content at the end of the test file', async () => {
    const [one, two] = [await isolated(), await isolated()];
    expect(one).not.toBe(two);
    expect(await readdir(one)).toEqual([]);
    await mkdir(join(one, 'inner'));
    await writeFile(join(one, 'inner', 'file'), 'text');
    for (const run of registered) await run();
    await expect(stat(one)).rejects.toThrow('ENOENT');
    await expect(stat(two)).rejects.toThrow('ENOENT');
  });
});

describe('describeWith', () => {
  const before = { ...process.env };
  const run = jest.fn();
  const skip = jest.fn();
  const real = globalThis.describe;

  beforeEach(() => {
    const parts = {
      docker: { missing: 'no engine answers: start it' },
      temporal: { found: '/bin/temporal' },
    };
    process.env['MILLRACE_TEST_PARTS'] = JSON.stringify(parts);
    delete process.env['CI'];
    globalThis.describe = Object.assign(run, { skip }) as unknown as typeof describe;
  });

  afterEach(() => {
    globalThis.describe = real;
    process.env = before;
    run.mockReset();
    skip.mockReset();
  });

  test('runs a suite whose parts are there', () => {
    const suite = () => undefined;
    describeWith({ temporal: true }, 'the service', suite);
    expect(run).toHaveBeenCalledWith('the service', suite);
    expect(skip).not.toHaveBeenCalled();
  });

  test('skips a suite that lacks one, with the reason and the remedy in its title', () => {
    describeWith({ temporal: true, docker: true }, 'containers', () => undefined);
    expect(run).not.toHaveBeenCalled();
    expect(skip.mock.calls[0][0]).toBe('containers [skipped: docker: no engine answers: start it]');
  });

  test('fails it instead under CI=true', () => {
    process.env['CI'] = 'true';
    describeWith({ docker: true }, 'containers', () => undefined);
    expect(skip).not.toHaveBeenCalled();
    const tests = jest.spyOn(globalThis, 'test').mockImplementation();
    run.mock.calls[0][1]();
    const body = tests.mock.calls[0]![1] as () => void;
    tests.mockRestore();
    expect(body).toThrow(
      'CI=true lets no suite be skipped, and this one lacks docker: no engine answers: start it',
    );
  });
});
