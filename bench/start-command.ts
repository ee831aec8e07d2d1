import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { packageRoot } from '../config/package-root.js';
import type { BenchHost } from './bench-host.js';
import { executedSoFar } from './executed.js';
import { median, report, timed } from './report.js';

/** `millrace run` of a one-step pipeline, from the command line to its exit; service and worker are up. */
export async function startCommand({ config }: BenchHost, rounds: number): Promise<void> {
  const main = path.join(packageRoot(), 'dist/cli/main.js');
  const env = { ...process.env, MILLRACE_STATE_DIR: config.stateDir, MILLRACE_QUEUE: config.queue };
  const samples: number[] = [];
  const floor: number[] = [];
  let executed = 0;
  for (let round = -1; round < rounds; round++) {
    const before = executedSoFar();
    const run = await timed(() =>
      ended(
        process.execPath,
        [main, 'run', 'one', '--input', `{"steps":1,"from":${1000 + round}}`, '--wait'],
        { cwd: config.projectDir, env },
      ),
    );
    const counted = executedSoFar() - before;
    // What no command in Node that speaks to Temporal goes below.
    const bare = await timed(() =>
      ended(process.execPath, ['-e', "require('@temporalio/client')"], { cwd: packageRoot(), env }),
    );
    if (round < 0) continue;
    samples.push(run);
    executed += counted;
    floor.push(bare);
  }
  report({
    bench: 'overhead',
    case: 'start',
    unit: 'ms',
    value: median(samples),
    floor: median(floor),
    executed,
  });
}

async function ended(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<void> {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
}
