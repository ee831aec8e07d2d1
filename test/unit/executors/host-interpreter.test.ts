import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { hostInterpreter, programsOf } from '../../../activities/executors/host-interpreter.js';
import { createSharedWork } from '../../../activities/executors/shared-work.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const of = (command: readonly string[] | undefined, searchPath = process.env['PATH']) =>
  hostInterpreter(
    { command, source: undefined, install: true },
    {
      env: { ...process.env, PATH: searchPath },
      share: createSharedWork(),
      signal: new AbortController().signal,
    },
  );

test.each([
  [['python3', 'train.py', '{in.table}'], ['python3']],
  [
    ['/bin/sh', '-c', 'python3 train.py && node x.js; python3 y.py'],
    ['/bin/sh', 'python3', 'node'],
  ],
  [
    ['/bin/sh', '-c', 'X=1 /usr/bin/python3.11 -m a > $(perl b)'],
    ['/bin/sh', '/usr/bin/python3.11', 'perl'],
  ],
  [['./run', 'pythonic', 'nodes'], ['./run']],
])('a command names its programs: %j', (command, programs) => {
  expect(programsOf(command)).toEqual(programs);
});

test('a function runs in the Node of the worker', async () => {
  expect(await of(undefined)).toEqual({ programs: [`node ${process.version}`] });
});

test('another program under the same name is another one, also inside a shell command', async () => {
  const [one, two] = [await temporaryFolder(), await temporaryFolder()];
  for (const [folder, text] of [
    [one, 'one'],
    [two, 'two'],
  ] as const) {
    await writeFile(path.join(folder, 'julia'), `#!/bin/sh\necho ${text}\n`);
    await chmod(path.join(folder, 'julia'), 0o755);
  }
  const shell = ['/bin/sh', '-c', 'julia train.jl'];
  const [a, b] = [await of(shell, one), await of(shell, two)];
  expect(a?.programs[0]).toBe(b?.programs[0]);
  expect(a?.programs[1]).toMatch(/^sha256:/);
  expect(a?.programs[1]).not.toBe(b?.programs[1]);
  expect((await of(shell, '/nowhere'))?.programs[1]).toBe('julia: not there');
});

test('Python is told by what it says of itself, not by the file that stands for it', async () => {
  const { programs } = (await of(['python3', '-c', '1']))!;
  expect(programs).toEqual([expect.stringMatching(/^python sha256:/)]);
});
