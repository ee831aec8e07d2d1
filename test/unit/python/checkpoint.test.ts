import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { contractEnv, exitCodes } from '../../../sdk/step-contract.js';
import { describeWith } from '../../support/describe-with.js';
import { helperFolder, layOutStep, runAsStep } from '../../support/run-as-step.js';
import { startProgram } from '../../support/run-program.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { waitFor } from '../../support/wait-for.js';

const python = (script: string, folder: string) =>
  runAsStep(['python3', '-c', `import millrace, os, sys\n${script}`], { folder });
const step = async () => layOutStep({ folder: path.join(await temporaryFolder(), 'step') });
const kept = (folder: string) => readdir(path.join(folder, 'checkpoint')).then((names) => names.sort());

describeWith({ python: true }, "the Python helper's checkpoints", () => {
  jest.setTimeout(60_000);

  test('keep any object in one line, the last one counting, for the next attempt too', async () => {
    const folder = await step();
    const script = `
state = millrace.load_checkpoint({"epoch": 0})
for epoch in range(state["epoch"] + 1, state["epoch"] + 4):
    millrace.save_checkpoint({"epoch": epoch, "weights": [1.5] * epoch})
millrace.output(**millrace.load_checkpoint())`;
    expect((await python(script, folder)).output).toEqual({ epoch: 3, weights: [1.5, 1.5, 1.5] });
    expect(await kept(folder)).toEqual(['00000003']);
    expect((await python(script, folder)).output).toMatchObject({ epoch: 6 });
  });

  test('give nothing where nothing was kept', async () => {
    const folder = await step();
    const { output } = await python(
      'millrace.output(last=millrace.last_checkpoint(), state=millrace.load_checkpoint(), given=millrace.load_checkpoint(7))',
      folder,
    );
    expect(output).toEqual({ last: null, state: null, given: 7 });
  });

  test('replace a folder as a whole, or not at all where the program is killed or fails while it writes', async () => {
    const folder = await step();
    await python(
      `with millrace.writing_checkpoint() as f:
    (f / "deep").mkdir()
    (f / "deep" / "model.pt").write_text("one")`,
      folder,
    );
    const broken = (end: string) =>
      python(
        `with millrace.writing_checkpoint() as f:\n    (f / "model.pt").write_text("ha")\n    ${end}`,
        folder,
      );
    expect((await broken('raise ValueError("no")')).exitCode).toBe(1);
    expect(await kept(folder)).toEqual(['00000001']);
    expect((await broken('os.kill(os.getpid(), 9)')).exitCode).toBeNull();
    expect(await kept(folder)).toEqual([expect.stringMatching(/^\.3-/), '00000001']);
    await expect(readFile(path.join(folder, 'checkpoint/00000001/deep/model.pt'), 'utf8')).resolves.toBe(
      'one',
    );
  });

  test('of killed attempts are cleared away, and what else lies there stays', async () => {
    const folder = await step();
    for (const name of ['.2-abc', 'mine']) await mkdir(path.join(folder, 'checkpoint', name));
    await writeFile(path.join(folder, 'checkpoint/.keep'), '');
    await python('millrace.save_checkpoint(1)', folder);
    expect(await kept(folder)).toEqual(['.keep', '00000001', 'mine']);
  });

  test('say when the step is to end, so that it saves and leaves', async () => {
    const folder = await step();
    const script = `
import millrace, time
assert not millrace.stopping()
print("ready", flush=True)
while not millrace.stopping():
    time.sleep(0.01)
millrace.save_checkpoint("last words")
millrace.leave()`;
    const env = { [contractEnv.folder]: folder, [contractEnv.attempt]: '1', PYTHONPATH: helperFolder };
    const program = startProgram('python3', ['-c', script], { env });
    await waitFor(() => program.stdout().includes('ready'), { what: 'the program' });
    program.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ exitCode: exitCodes.stopped, stderr: 'stopped\n' });
    expect((await python('millrace.output(state=millrace.load_checkpoint())', folder)).output).toEqual({
      state: 'last words',
    });
  });

  test('leave SIGTERM alone unless they are asked', async () => {
    const folder = await step();
    const { exitCode } = await python(
      'millrace.save_checkpoint(1)\nos.kill(os.getpid(), 15)\nimport time; time.sleep(5)',
      folder,
    );
    expect(exitCode).toBeNull();
  });

  test("are told to the program's own handler of SIGTERM too", async () => {
    const { output } = await python(
      `import signal
signal.signal(signal.SIGTERM, lambda *_: millrace.output(own=True))
millrace.stopping()
os.kill(os.getpid(), 15)
millrace.output(stopping=millrace.stopping())`,
      await step(),
    );
    expect(output).toEqual({ own: true, stopping: true });
  });
});
