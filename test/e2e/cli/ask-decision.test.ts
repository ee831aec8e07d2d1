import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { buildPackage, packageRoot } from '../../support/build-package.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { waitFor } from '../../support/wait-for.js';

const program = `
import { askDecision } from ${JSON.stringify(path.join(packageRoot, 'dist/cli/demo/ask-decision.js'))};
console.log('ANSWER ' + JSON.stringify(await askDecision('release', { json: false }) ?? null));`;

/** The prompt at a real terminal, which Python's pty gives it. */
function atTerminal() {
  // A new terminal has no width.
  const sized = ['sh', '-c', 'stty cols 100 rows 40; exec "$@"', 'sh'];
  const node = [...sized, process.execPath, '--input-type=module', '-e', program];
  const { NO_COLOR: _, CI: _ci, ...env } = process.env;
  const child = spawn('python3', ['-c', 'import pty, sys; pty.spawn(sys.argv[1:])', ...node], {
    env: { ...env, TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  releaseAtEnd(async () => {
    if (child.exitCode !== null) return;
    child.kill();
    await once(child, 'close');
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const text = () => stripVTControlCharacters(printed);
  const sees = (words: string) => waitFor(() => text().includes(words), { what: words });
  return {
    sees,
    type: (keys: string) => child.stdin.write(keys),
    answer: async () => {
      await sees('ANSWER ');
      return JSON.parse(/ANSWER (.*)/.exec(text())?.[1] ?? '') as unknown;
    },
  };
}

const [enter, down] = ['\r', '\u001B[B'];

describeWith({ python: true }, "the demo's question", () => {
  beforeAll(() => buildPackage(), 120_000);

  test('is answered by approving', async () => {
    const terminal = atTerminal();
    await terminal.sees('Decide on release:');
    terminal.type(enter);
    expect(await terminal.answer()).toEqual({ decision: 'approved' });
  });

  test('is answered by rejecting, with a reason that may not be empty', async () => {
    const terminal = atTerminal();
    await terminal.sees('Decide on release:');
    terminal.type(down);
    terminal.type(enter);
    await terminal.sees('Why?');
    terminal.type(enter);
    await terminal.sees('A rejection needs a reason.');
    terminal.type('too small');
    terminal.type(enter);
    expect(await terminal.answer()).toEqual({ decision: 'rejected', reason: 'too small' });
  });

  test.each([
    ['by choosing so', `${down}${down}${enter}`],
    ['by Ctrl-C', '\u0003'],
  ])('is left for later %s', async (_, keys) => {
    const terminal = atTerminal();
    await terminal.sees('Decide on release:');
    terminal.type(keys);
    expect(await terminal.answer()).toBeNull();
  });
});
