import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { noteWork } from '../../../activities/carry-checkpoint.js';
import { stepProcesses } from '../../../activities/executors/process-leftovers.js';
import { sweepSessions } from '../../../activities/sessions.js';
import { createDebugTools } from '../../../debug/index.js';
import type { AloneEnd, DebugTools, TriedStep } from '../../../debug/index.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { statePaths } from '../../../config/state-paths.js';
import { describeWith } from '../../support/describe-with.js';
import { runCli, startCli } from '../../support/run-cli.js';
import { runProgram } from '../../support/run-program.js';
import type { TestMillrace } from '../../support/start-millrace.js';
import { startMillrace } from '../../support/start-millrace.js';
import { waitFor } from '../../support/wait-for.js';

const secretValue = 'hunter2-a-secret-value';

const files = {
  'd.steps.ts': `
import { writeFile } from 'node:fs/promises';
import { dataset, model, step } from 'millrace';
import { z } from 'zod';
const data = z.object({ table: dataset(), trees: z.number().default(3) });
const trained = z.object({ model: model(), auc: z.number() });
export const train = step({ name: 'train', image: 'busybox:latest', source: './trainer', secrets: [{ name: 'TOKEN', env: true }, 'ABSENT'], env: { MODE: 'fast' },
  command: ['sh', 'train.sh', '{in.table}', '{input.trees}', '{out.model}'], retry: { attempts: 2, initialInterval: '10ms' }, input: data, output: trained });
export const onHost = step({ name: 'onHost', source: './trainer', env: { MODE: 'slow' }, secrets: [{ name: 'TOKEN', env: true }],
  command: ['/bin/sh', 'train.sh', '{in.table}', '{input.trees}', '{out.model}'], retry: { attempts: 2, initialInterval: '10ms' }, input: data, output: trained });
export const inside = step({ name: 'inside', isolation: 'none', input: z.object({ table: dataset() }), output: z.object({ note: model() }) },
  async ({ table }, { out }) => { await writeFile(out.note, 'size ' + table.size); return {}; });
export const breaks = step({ name: 'breaks', image: 'busybox:latest', source: './trainer', retry: { attempts: 1 }, input: data, output: z.object({}),
  command: ['sh', '-c', 'echo so far > /millrace/checkpoint/state; exit 3'] });
`,
  'trainer/train.sh': `
echo "token is $TOKEN"
[ "$MILLRACE_ATTEMPT" = 2 ] || { echo "no luck" >&2; exit 3; }
echo '{"type":"metric","name":"loss","value":0.25}' >> "$MILLRACE_DIR/events.jsonl"
wc -l < "$1" > "$3"
echo '{"auc":0.'$2'}' > "$MILLRACE_DIR/output.json"
`,
  'd.pipeline.ts': `
import { approval, dataset, pipeline } from 'millrace';
import { z } from 'zod';
import { breaks, inside, onHost, train } from './d.steps.js';
export const child = pipeline({ name: 'child', input: z.object({ table: dataset() }) }, async ({ table }) => (await inside({ table })).note);
export const all = pipeline({ name: 'all', input: z.object({ table: dataset() }) }, async ({ table }) => {
  const first = await train({ table });
  const second = await onHost({ table });
  const note = await child({ table });
  return { first, second, note };
});
export const broken = pipeline({ name: 'broken', input: z.object({ table: dataset() }) }, async ({ table }) => breaks({ table }));`,
};

describeWith({ temporal: true, docker: true, python: true }, 'debugging a step', () => {
  let millrace: TestMillrace;
  let tools: DebugTools;
  let run: string;
  let broken: string;
  let before: string;

  beforeAll(async () => {
    process.env['MILLRACE_SECRET_TOKEN'] = secretValue;
    process.env['MILLRACE_SECRET_ABSENT'] = 'here for now';
    millrace = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'docker' } });
    const { client, project, config } = millrace;
    await writeFile(path.join(project, 'table.csv'), 'a,b\n1,2\n3,4\n');
    const failed = await client.start('broken', {
      table: await client.upload(path.join(project, 'table.csv')),
    });
    await failed.result().catch(() => undefined);
    broken = failed.id;
    const started = await client.start('all', {
      table: await client.upload(path.join(project, 'table.csv')),
    });
    await started.result();
    run = started.id;
    // Neither a worker nor the service is there any more, and one secret is not either.
    await millrace.host.stop();
    delete process.env['MILLRACE_SECRET_ABSENT'];
    tools = await createDebugTools({ config });
    before = await rows();
  });
  afterAll(async () => {
    await tools?.[Symbol.asyncDispose]();
    delete process.env['MILLRACE_SECRET_TOKEN'];
  });
  afterEach(async () => {
    expect(await rows()).toBe(before);
    expect(leftContainers()).toBe('');
    expect(await readdir(statePaths(millrace.config.stateDir).sessions)).toEqual([]);
  });

  /** All that the catalog says of the run. */
  async function rows(): Promise<string> {
    await using catalog = await openCatalog(millrace.config.catalog);
    return JSON.stringify([
      await catalog.steps(run),
      await catalog.attempts(run),
      await catalog.metrics(run),
      await catalog.artifacts(run),
      await catalog.timeline(run),
    ]);
  }
  const leftContainers = () =>
    execFileSync('docker', ['ps', '-aq', '--filter', `label=millrace.run=${run}`], { encoding: 'utf8' });

  async function type(script: string, step: string, attempt?: number, of = run) {
    const stdin = new PassThrough();
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const said = Promise.all([text(stdout), text(stderr)]);
    let tried: TriedStep | undefined;
    const ending = tools.shell(
      { run: of, step, attempt },
      { terminal: { stdin, stdout, stderr }, onReady: (ready) => (tried = ready) },
    );
    stdin.end(script);
    const end = await ending.finally(() => {
      stdout.end();
      stderr.end();
    });
    const [out, err] = await said;
    return { end, out, err, tried };
  }

  test('a shell in the same image has the inputs, source, environment and secrets of the attempt', async () => {
    const { end, out, err } = await type(
      'pwd; ls; cat /millrace/in/table; cat /millrace/input.json; echo "$MODE $TOKEN $MILLRACE_STEP $MILLRACE_ATTEMPT $MILLRACE_DIR"; ls /millrace/secrets; id -u; echo broken >&2; exit 7\n',
      'train',
    );
    await using catalog = await openCatalog(millrace.config.catalog);
    const image = (await catalog.attempts(run, 'train'))[0]?.image;
    expect(end).toMatchObject({
      run,
      step: 'train',
      attempt: 2,
      executor: 'docker',
      image: { reference: 'busybox:latest', id: image },
      command: ['sh', 'train.sh', '/millrace/in/table', '3', '/millrace/out/model'],
      exitCode: 7,
    });
    expect(out.split('\n')).toEqual([
      '/millrace/source',
      'train.sh',
      'a,b',
      '1,2',
      '3,4',
      expect.stringMatching(
        /^\{"table":\{.*"path":"in\/table"\},?.*\}fast hunter2-a-secret-value train 2 \/millrace$/,
      ),
      'TOKEN',
      expect.stringMatching(/^\d+$/),
      '',
    ]);
    expect(err).toBe('broken\n');
    expect(end.notes).toEqual([
      expect.stringMatching(/^This host has no secret ABSENT \(.*MILLRACE_SECRET_ABSENT\)/),
    ]);
  });

  test('an earlier attempt is tried as that one was', async () => {
    const { out } = await type('echo $MILLRACE_ATTEMPT\n', 'train', 1);
    expect(out).toBe('1\n');
    await expect(tools.shell({ run, step: 'train', attempt: 3 })).rejects.toMatchObject({
      code: 'UNKNOWN_STEP',
      message: expect.stringMatching(/no attempt 3.*Its attempts: 2, 1\./),
    });
  });

  test('a process is tried on this host, and what it starts ends with the shell', async () => {
    const { end, out } = await type(
      'pwd; ls; cat ../in/table | head -1; echo "$MODE $TOKEN $MILLRACE_ATTEMPT"; sleep 1000 & echo $MILLRACE_INSTALLATION; exit 0\n',
      'onHost',
    );
    const lines = out.trim().split('\n');
    expect(lines.slice(0, 4)).toEqual([
      path.join(end.folder, 'source'),
      'train.sh',
      'a,b',
      `slow ${secretValue} 2`,
    ]);
    expect(lines[4]).toMatch(/-session-/);
    expect(await stepProcesses(lines[4]!)).toEqual([]);
  });

  test('what ran inside the worker, in a child run, is a process here', async () => {
    const { end, out } = await type('ls in\n', 'child/inside');
    expect(out).toBe('table\n');
    expect(end).toMatchObject({ run: `${run}.child`, step: 'inside', executor: 'process' });
    const { succeeded, outputs } = await tools.command({ run, step: 'child/inside' });
    expect({ succeeded, outputs }).toMatchObject({
      succeeded: true,
      outputs: [{ field: 'note', same: true }],
    });
  });

  test.each(['train', 'onHost'])(
    'the command of %s runs again, and its outputs are told beside the recorded ones',
    async (step) => {
      const lines: string[] = [];
      const end = await tools.command(
        { run, step },
        { onLine: (line) => lines.push(`${line.stream} ${line.text}`) },
      );
      expect(lines).toEqual(['out token is ***']);
      expect(end).toMatchObject({
        succeeded: true,
        problem: undefined,
        exitCode: 0,
        reason: 'exited',
        metrics: [{ name: 'loss', value: 0.25 }],
        outputs: [
          {
            field: 'model',
            value: { $artifact: 'model', size: 2, digest: expect.stringMatching(/^sha256:/) },
            same: true,
          },
          { field: 'auc', value: 0.3, same: true },
        ],
      });
      const failed = await tools.command(
        { run, step, attempt: 1 },
        { onLine: (line) => lines.push(`${line.stream} ${line.text}`) },
      );
      expect(failed).toMatchObject({
        succeeded: false,
        exitCode: 3,
        problem: 'It ended with exit code 3.',
        outputs: [],
      });
      expect(lines).toContain('err no luck');
    },
  );

  test('the newest checkpoint of this host is there, as a copy', async () => {
    const { attempt } = statePaths(millrace.config.stateDir);
    for (const [number, words] of [
      [1, 'old'],
      [2, 'new'],
    ] as const) {
      const folder = path.join(attempt(run, 'train', number), 'checkpoint');
      await mkdir(folder, { recursive: true });
      await writeFile(path.join(folder, 'state'), words);
    }
    const newest = await type('cat /millrace/checkpoint/state; rm -r /millrace/checkpoint/*\n', 'train');
    expect(newest.out).toBe('new');
    expect(newest.end.notes).toContain('Its checkpoint is that of attempt 2.');
    expect((await type('cat /millrace/checkpoint/state\n', 'train', 1)).out).toBe('old');
    expect(await readFile(path.join(attempt(run, 'train', 2), 'checkpoint/state'), 'utf8')).toBe('new');
  });

  test('a checkpoint is that of the same work: what the attempt itself left, and none from before a repair to other work', async () => {
    const folder = statePaths(millrace.config.stateDir).attempt(broken, 'breaks', 1);
    const script = 'cat /millrace/checkpoint/state 2>/dev/null\n';
    const same = await type(script, 'breaks', 1, broken);
    expect([same.out, same.end.notes]).toEqual(['so far\n', ['Its checkpoint is that of attempt 1.']]);
    await rm(folder, { recursive: true });
    expect((await type(script, 'breaks', 1, broken)).out).toBe('so far\n');
    const left = path.join(path.dirname(folder), '2');
    await mkdir(path.join(left, 'checkpoint'), { recursive: true });
    await writeFile(path.join(left, 'checkpoint/state'), 'other');
    await noteWork(left, 'of another input');
    await using catalog = await openCatalog(millrace.config.catalog);
    const [first] = await catalog.attempts(broken, 'breaks');
    await catalog.project({ attempts: [{ ...first!, attempt: 2 }] });
    const other = await type(script, 'breaks', 2, broken);
    expect(other.out).toBe('so far\n');
    expect(other.end.notes).toEqual([
      'Its checkpoint is that of attempt 1.',
      'The checkpoint of attempt 2 is of another input, source or image: it is left aside.',
    ]);
  });

  test('what no program ran for, and what is not there, is refused', async () => {
    await expect(tools.shell({ run, step: 'child' })).rejects.toMatchObject({
      code: 'UNKNOWN_STEP',
      message: expect.stringContaining('is of kind pipeline'),
    });
    await expect(tools.shell({ run, step: 'trian' })).rejects.toMatchObject({
      message: expect.stringContaining('Its steps: train, onHost, child.'),
    });
  });

  test('a step runs alone with other code and input, and its result is kept beside the run', async () => {
    const { project, config } = millrace;
    const script = await readFile(path.join(project, 'trainer/train.sh'), 'utf8');
    await mkdir(path.join(project, 'other'));
    const tells = `echo '{"type":"progress","fraction":0.5,"message":"with '$TOKEN'"}' >> "$MILLRACE_DIR/events.jsonl"`;
    await writeFile(path.join(project, 'other/train.sh'), `echo other code\n${tells}\n${script}`);
    await writeFile(path.join(project, 'more.csv'), '1\n2\n3\n4\n5\n');
    const lines: string[] = [];
    const end = await tools.step(
      { run, step: 'train' },
      {
        source: path.join(project, 'other'),
        input: { trees: 7 },
        files: { table: path.join(project, 'more.csv') },
        onLine: ({ text: said }) => lines.push(said),
      },
    );
    expect(lines).toEqual(['other code', 'token is ***']);
    expect(end).toMatchObject({
      succeeded: true,
      input: { trees: 7, table: { name: 'more.csv' } },
      command: ['sh', 'train.sh', '/millrace/in/table', '7', '/millrace/out/model'],
      notes: ['Its source is another than that of the run.', expect.stringContaining('ABSENT')],
      outputs: [
        { field: 'model', same: false },
        { field: 'auc', value: 0.7, same: false },
      ],
    });
    expect(end.folder.startsWith(path.join(config.stateDir, 'apart', run, 'train'))).toBe(true);
    expect((await readdir(end.folder)).sort()).toEqual([
      'events.jsonl',
      'input.json',
      'log',
      'out',
      'output.json',
      'result.json',
    ]);
    expect(await readFile(path.join(end.folder, 'out/model'), 'utf8')).toBe('5\n');
    const told = (await readFile(path.join(end.folder, 'events.jsonl'), 'utf8')).trim().split('\n');
    expect(told.map((line) => JSON.parse(line) as unknown)).toEqual([
      { type: 'progress', fraction: 0.5, message: 'with ***' },
      { type: 'metric', name: 'loss', value: 0.25 },
    ]);
    expect(JSON.parse(await readFile(path.join(end.folder, 'result.json'), 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(end)),
    );

    const same = await tools.step({ run, step: 'onHost' });
    expect(same).toMatchObject({
      succeeded: true,
      outputs: [
        { field: 'model', same: true },
        { field: 'auc', same: true },
      ],
    });
    const failed = await tools.step({ run, step: 'train', attempt: 1 });
    expect(failed).toMatchObject({ succeeded: false, problem: 'It ended with exit code 3.' });
    expect(await readFile(path.join(failed.folder, 'log'), 'utf8')).toContain('err no luck');
  });

  test.each([
    [
      'a field that the step does not have',
      { input: { tress: 1 } },
      /has no input tress.*Its input: table, trees/,
    ],
    [
      'a value that breaks its schema',
      { input: { trees: 'many' } },
      /input of step `train` is wrong: `trees`/,
    ],
    ['a file where a value belongs', { files: { trees: '/etc/hostname' } }, /`trees` takes no single file/],
    ['a file that is not there', { files: { table: '/nowhere' } }, /`table` is not there/],
    ['a source that is not there', { source: '/nowhere' }, /\/nowhere is no folder/],
  ])('alone it refuses %s', async (_what, changes, message) => {
    await expect(tools.step({ run, step: 'train' }, changes)).rejects.toThrow(message);
  });

  const cli = () => ({
    cwd: millrace.project,
    env: { MILLRACE_QUEUE: millrace.config.queue, TEMPORAL_ADDRESS: undefined },
  });

  test('at the command line: a script from a pipe, and --command with its outputs as JSON', async () => {
    const piped = await runCli(['debug', 'last', 'train'], { ...cli(), input: 'ls /millrace/in; exit 0\n' });
    expect(piped).toMatchObject({ exitCode: 0, stdout: 'table\n' });
    expect(piped.stderr).toContain('command  sh train.sh /millrace/in/table 3 /millrace/out/model');
    expect(piped.stderr).toContain('This host has no secret ABSENT');
    const failing = await runCli(['debug', run, 'train'], { ...cli(), input: 'false\n' });
    expect(failing.exitCode).toBe(1);

    const told = await runCli(['debug', run, 'train', '--command', '--json'], cli());
    expect(told.exitCode).toBe(0);
    expect(JSON.parse(told.stdout)).toMatchObject({
      succeeded: true,
      outputs: [{ field: 'model', same: true }, { field: 'auc' }],
    });
    expect(told.stderr).toMatch(/succeeded {2}exit 0/);
    expect(told.stderr).toMatch(
      /output {3}model = model model \(2 B, sha256:[0-9a-f]{12}\), as the run has it/,
    );
    const failed = await runCli(['debug', run, 'train', '--attempt', '1', '--command'], cli());
    expect(failed).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('no luck') });
    expect(failed.stderr).toContain('It ended with exit code 3.');
    expect(await runCli(['debug', run, 'train', '--json'], cli())).toMatchObject({ exitCode: 2 });

    const alone = await runCli(['step', run, 'train', '--input', 'trees=5', '--json'], cli());
    expect(alone.exitCode).toBe(0);
    const { folder, outputs } = JSON.parse(alone.stdout) as AloneEnd;
    expect(outputs).toMatchObject([{ same: true }, { field: 'auc', value: 0.5, same: false }]);
    expect(alone.stderr).toContain(`Its result is kept: ${folder}`);
    expect(alone.stderr).toContain('auc = 0.5, other than the run has');
  });

  test('in a terminal it is a terminal inside, and the folder stays where it is asked to', async () => {
    const program = `import pty, os, sys, time
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
sent = False
said = b''
while True:
    try: piece = os.read(fd, 4096)
    except OSError: break
    if not piece: break
    said += piece
    if not sent and (b'$ ' in said or b'# ' in said):
        sent = True
        os.write(fd, b'tty; echo kept > /millrace/out/model; exit\\n')
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
    const main = path.join(__dirname, '../../../dist/cli/main.js');
    const end = await runProgram(
      'python3',
      ['-c', program, process.execPath, main, 'debug', run, 'train', '--keep'],
      cli(),
    );
    expect(end).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('/dev/') });
    const folder = /Its folder is kept: (\S+)/.exec(end.stdout)![1]!;
    expect(await readFile(path.join(folder, 'out/model'), 'utf8')).toBe('kept\n');
    execFileSync('rm', ['-r', path.dirname(folder)]);
  });

  test.each([
    ['SIGTERM', 'train'],
    ['SIGKILL', 'train'],
    ['SIGTERM', 'onHost'],
    ['SIGKILL', 'onHost'],
  ] as const)('nothing is left after %s of a shell in %s', async (signal, step) => {
    const { sessions } = statePaths(millrace.config.stateDir);
    await using program = await startCli(['debug', run, step], {
      ...cli(),
      input: 'echo begun; sleep 1000; echo over\n',
    });
    await waitFor(() => program.stdout().includes('begun'), { what: 'the shell' });
    expect(await readdir(sessions)).toHaveLength(1);
    program.kill(signal);
    if (signal === 'SIGKILL') {
      await waitFor(() => !isRunning(program.pid), { what: 'the end of the process' });
      // A young beat may be that of a process elsewhere, whose id says nothing here.
      await sweepSessions({ sessions });
      const [id = ''] = await readdir(sessions);
      expect(id).not.toBe('');
      const old = new Date(Date.now() - 120_000);
      await utimes(path.join(sessions, id, 'session.json'), old, old);
      await sweepSessions({ sessions });
      expect(await stepProcesses(`${millrace.config.installation}-session-${id}`)).toEqual([]);
    }
    const { exitCode, stdout } = await program.ended;
    expect(stdout).not.toContain('over');
    expect(exitCode).toBe(signal === 'SIGTERM' ? 130 : null);
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
