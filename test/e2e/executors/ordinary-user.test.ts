import { chown, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { connectDocker } from '../../../activities/executors/docker-connection.js';
import { buildPackage, packageRoot } from '../../support/build-package.js';
import { describeWith } from '../../support/describe-with.js';
import { executionOf } from '../../support/execution.js';
import { runProgram } from '../../support/run-program.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const ordinary = 12_345;

/** Runs one attempt with the compiled executor, prints how it ended and removes what only its owner can remove. */
const worker = `
import { mkdir, rm, writeFile } from 'node:fs/promises';
const [module, execution] = process.argv.slice(1);
const { createDockerExecutor } = await import(module);
const given = JSON.parse(execution);
for (const name of ['in', 'out', 'checkpoint']) await mkdir(given.folder + '/' + name, { recursive: true });
await writeFile(given.folder + '/input.json', '{}');
const executor = createDockerExecutor();
const signal = new AbortController().signal;
const end = await executor.execute({ ...given, command: () => given.spec.command }, { signal });
await executor.release(given);
console.log(JSON.stringify(end));
await rm(given.folder + '/code', { recursive: true });
await rm(given.folder + '/helper', { recursive: true });
`;

describeWith({ docker: true }, 'a worker that is an ordinary user of the group docker', () => {
  test('runs steps as itself, owns what they write and can remove all of it', async () => {
    // Where tests run as an ordinary user anyway, every other test of the Docker executor shows this.
    if (process.getuid?.() !== 0) return;
    await buildPackage();
    const root = await temporaryFolder();
    await chown(root, ordinary, ordinary);
    const image = await connectDocker().getImage('busybox:latest').inspect();
    const script =
      'id -u; echo weights > $MILLRACE_DIR/out/model; ls -l /millrace/secrets; cat /millrace/secrets/TOKEN';
    const execution = executionOf(
      { command: ['sh', '-c', script] },
      {
        folder: join(root, 'attempt'),
        log: join(root, 'step.log'),
        image: { reference: 'busybox:latest', id: image.Id as `sha256:${string}` },
        code: join(packageRoot, 'package.json'),
        secrets: [{ name: 'TOKEN', value: 'tops3cret', env: false }],
      },
    );
    const socket = await stat('/var/run/docker.sock');
    const { stdout, stderr, exitCode } = await runProgram('setpriv', [
      `--reuid=${ordinary}`,
      `--regid=${ordinary}`,
      `--groups=${socket.gid}`,
      process.execPath,
      '--input-type=module',
      '-e',
      worker,
      join(packageRoot, 'dist/activities/executors/docker-executor.js'),
      JSON.stringify(execution),
    ]);
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    expect(JSON.parse(stdout)).toMatchObject({ reason: 'exited', exitCode: 0 });
    const log = await readFile(execution.log, 'utf8');
    expect(log).toContain(`out ${ordinary}\n`);
    expect(log).toContain('out ***');
    expect((await stat(join(execution.folder, 'out/model'))).uid).toBe(ordinary);
    expect((await readdir(execution.folder)).sort()).toEqual([
      'checkpoint',
      'events.jsonl',
      'in',
      'input.json',
      'out',
      'secrets',
    ]);
  });
});
