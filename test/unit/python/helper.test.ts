import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describeWith } from '../../support/describe-with.js';
import { runProgram } from '../../support/run-program.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { helperFolder, layOutStep, runAsStep } from '../../support/run-as-step.js';

const python = (script: string, folder: string) =>
  runAsStep(['python3', '-c', `import millrace\n${script}`], { folder });

async function step(values: Record<string, unknown> = {}): Promise<string> {
  return layOutStep({ folder: path.join(await temporaryFolder(), 'step'), values });
}

describeWith({ python: true }, 'the Python helper', () => {
  jest.setTimeout(60_000);

  test('gives values as they are, artifacts as paths, also in lists and objects', async () => {
    const artifact = (at: string) => ({ $artifact: 'model', digest: 'sha256:00', path: at });
    const folder = await step({
      table: artifact('in/table'),
      trees: 7,
      grid: { depth: [1, 2] },
      models: [artifact('in/models/0'), artifact('in/models/1')],
    });
    await writeFile(path.join(folder, 'in/table'), 'content');
    const { output } = await python(
      `i = millrace.inputs
millrace.output(table=i.table.read_text(), trees=i["trees"], depth=i.grid.depth, models=[str(m) for m in i.models], got=i.get("absent"))`,
      folder,
    );
    expect(output).toEqual({
      table: 'content',
      trees: 7,
      depth: [1, 2],
      models: [path.join(folder, 'in/models/0'), path.join(folder, 'in/models/1')],
      got: null,
    });
  });

  test('names the inputs there are when one is asked for that is not', async () => {
    const { exitCode, stderr } = await python('millrace.inputs.tress', await step({ trees: 1, table: 2 }));
    expect(exitCode).toBe(1);
    expect(stderr).toContain("No input 'tress'; there are: trees, table.");
  });

  test('tells run, step and attempt, and where to write', async () => {
    const folder = await step();
    const { output } = await python(
      `from millrace import attempt
millrace.out("model").write_text("bytes")
(millrace.checkpoint / "epoch").write_text("1")
millrace.output(place=[millrace.run, millrace.step, attempt])`,
      folder,
    );
    expect(output).toEqual({ place: ['run-1', 'train#2', 3] });
    await expect(readFile(path.join(folder, 'out/model'), 'utf8')).resolves.toBe('bytes');
    await expect(readFile(path.join(folder, 'checkpoint/epoch'), 'utf8')).resolves.toBe('1');
  });

  test('merges outputs, the last value of a name counting, and leaves no half-written file', async () => {
    const folder = await step();
    const { output } = await python(
      'millrace.output(a=1, b="é\\ud800")\nmillrace.output(a=2, c=None)',
      folder,
    );
    expect(output).toEqual({ a: 2, b: 'é\ud800', c: null });
    expect((await readdir(folder)).filter((name) => name.includes('output'))).toEqual(['output.json']);
  });

  test('turns scalars and arrays of numeric packages into JSON', async () => {
    const stand = `
class Scalar:
    def item(self): return 0.5
class Array:
    def tolist(self): return [[1, 2], [3, 4]]
millrace.output(auc=Scalar(), matrix=Array(), pair=(True, Scalar()))`;
    const { output } = await python(stand, await step());
    expect(output).toEqual({
      auc: 0.5,
      matrix: [
        [1, 2],
        [3, 4],
      ],
      pair: [true, 0.5],
    });
  });

  test.each([
    ['float("nan")', 'Output `x` is nan: JSON has no such number'],
    ['{"a": [1, float("-inf")]}', 'Output `x.a.1` is -inf'],
    ['2**53', 'Output `x` is 9007199254740992: integers beyond 2^53 - 1 lose digits'],
    ['{1: 2}', 'Output `x` has the key 1: keys of JSON objects are text.'],
    ['object()', 'Output `x` is of type object: give text, numbers'],
    ['millrace.out("x")', "an artifact is what you write to `millrace.out('x')`."],
  ])('refuses the output %s, says where, and keeps what was there', async (value, message) => {
    const { exitCode, stderr, output } = await python(
      `millrace.output(x=1)\nmillrace.output(y=2, x=${value})`,
      await step(),
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
    expect(output).toEqual({ x: 1 });
  });

  test('writes metrics, progress and messages as events', async () => {
    const { events } = await python(
      `millrace.metric("loss", 0.25, index=3)
millrace.metric("auc", 1)
millrace.progress(1.0000001, "nearly")
millrace.log("warn", "few rows", rows=3, bad=float("nan"))`,
      await step(),
    );
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/);
    expect(events).toEqual([
      { type: 'metric', name: 'loss', value: 0.25, index: 3, at },
      { type: 'metric', name: 'auc', value: 1, at },
      { type: 'progress', fraction: 1, message: 'nearly', at },
      { type: 'message', level: 'warn', text: 'few rows', fields: { rows: 3, bad: 'nan' }, at },
    ]);
  });

  test('a metric that is no finite number becomes a warning, and the step goes on', async () => {
    const { events, output } = await python(
      'millrace.metric("loss", float("inf"), index=9)\nmillrace.output(done=True)',
      await step(),
    );
    expect(events).toMatchObject([
      { type: 'message', level: 'warn', text: 'Metric `loss` is inf: not recorded.', fields: { index: 9 } },
    ]);
    expect(output).toEqual({ done: true });
  });

  test('lines of threads and processes never mix', async () => {
    const { events } = await python(
      `import os, threading
def work(worker):
    for index in range(200): millrace.metric(f"series{worker}", index, index=index)
children = []
for worker in range(2):
    pid = os.fork()
    if pid == 0:
        threads = [threading.Thread(target=work, args=(f"{worker}{n}",)) for n in range(3)]
        [t.start() for t in threads]; [t.join() for t in threads]
        os._exit(0)
    children.append(pid)
[os.waitpid(pid, 0) for pid in children]`,
      await step(),
    );
    const values = new Map<string, number[]>();
    for (const event of events) {
      if (event.type === 'metric') values.set(event.name, [...(values.get(event.name) ?? []), event.value]);
    }
    const inOrder = Array.from({ length: 200 }, (_, index) => index);
    expect([...values.values()]).toEqual(Array.from({ length: 6 }, () => inOrder));
  });

  test('shortens an event to the longest line the contract allows', async () => {
    const folder = await step();
    const { events } = await python('millrace.log("info", "😀" * 50_000, more="x" * 100_000)', folder);
    expect(events).toMatchObject([{ type: 'message', text: `${'😀'.repeat(5_000)}…` }]);
    const line = await readFile(path.join(folder, 'events.jsonl'));
    expect(line.length).toBeLessThanOrEqual(65_536);
  });

  test.each([
    ['', 1, true],
    [', retryable=False', 65, false],
  ])('fail(…%s) ends with code %i and the reason', async (option, code, retryable) => {
    const { exitCode, stderr, events } = await python(
      `millrace.fail("the table is empty"${option})\nprint("not reached")`,
      await step(),
    );
    expect(exitCode).toBe(code);
    expect(stderr).toBe('the table is empty\n');
    expect(events).toMatchObject([{ type: 'failure', message: 'the table is empty', retryable }]);
  });

  test('fail in a thread ends the whole step', async () => {
    const { exitCode, stdout } = await python(
      `import threading, time
print("before")
threading.Thread(target=lambda: millrace.fail("no", retryable=False)).start()
time.sleep(30)`,
      await step(),
    );
    expect(exitCode).toBe(65);
    expect(stdout).toBe('before\n');
  });

  test('reads a secret exactly, and says what to do about one that is not declared', async () => {
    const folder = await step();
    await writeFile(path.join(folder, 'secrets/HF_TOKEN'), 'a b\n');
    const read = await python('millrace.output(length=len(millrace.secret("HF_TOKEN")))', folder);
    expect(read.output).toEqual({ length: 4 });
    const { stderr } = await python('millrace.secret("OTHER")', folder);
    expect(stderr).toContain(
      "This step has no secret 'OTHER': add it to `secrets` where the step is declared.",
    );
  });

  test.each(['../x', '.hidden', 'a/b', ''])('refuses %j as the name of an output', async (name) => {
    const { stderr } = await python(`millrace.out(${JSON.stringify(name)})`, await step());
    expect(stderr).toContain('cannot be the name of an output');
  });

  test('can be imported outside a step, where each word says that it needs one', async () => {
    const alone = (script: string) =>
      runProgram('python3', ['-c', `import millrace\n${script}`], {
        env: { PYTHONPATH: helperFolder, MILLRACE_DIR: undefined, PYTHONDONTWRITEBYTECODE: '1' },
      });
    await expect(alone('')).resolves.toMatchObject({ exitCode: 0 });
    for (const word of ['inputs', 'attempt', 'checkpoint', 'metric("a", 1)', 'output(a=1)', 'fail("x")']) {
      const { exitCode, stderr } = await alone(`millrace.${word}`);
      expect(exitCode).toBe(1);
      expect(stderr).toContain('NotInStep: This code runs in a step of a Millrace pipeline');
      expect(stderr).toContain('set MILLRACE_DIR to a folder with an input.json');
    }
  });

  test('with MILLRACE_DIR alone it works for tests and debuggers', async () => {
    const folder = await step({ trees: 2 });
    const { stdout } = await runProgram(
      'python3',
      ['-c', 'import millrace as m; print(m.inputs.trees, m.run, m.step, m.attempt)'],
      { env: { PYTHONPATH: helperFolder, MILLRACE_DIR: folder, PYTHONDONTWRITEBYTECODE: '1' } },
    );
    expect(stdout).toBe('2 local local 1\n');
  });

  test('keeps to the syntax of Python 3.9 and to the standard library', async () => {
    const { stdout, stderr } = await runProgram('python3', [
      '-c',
      `import ast, sys
tree = ast.parse(open(sys.argv[1]).read(), feature_version=(3, 9))
names = [n.name for s in ast.walk(tree) if isinstance(s, ast.Import) for n in s.names]
names += [s.module for s in ast.walk(tree) if isinstance(s, ast.ImportFrom)]
print([n for n in names if n.split(".")[0] not in sys.stdlib_module_names])`,
      path.join(helperFolder, 'millrace.py'),
    ]);
    expect(stderr).toBe('');
    expect(stdout).toBe('[]\n');
  });
});
