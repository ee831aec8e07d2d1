import { randomUUID } from 'node:crypto';
import type { BenchHost } from './bench-host.js';
import { bareQueue, startBenchHost } from './bench-host.js';
import { containerCold } from './container-cold.js';
import { executedSoFar } from './executed.js';
import { median, report, timed } from './report.js';
import { startCommand } from './start-command.js';

const steps = 50;

/** What Millrace adds to a step, against the floor of each case; CONTRIBUTING.md has the bounds. */
export async function overhead(options: {
  readonly rounds: number;
  readonly cases: readonly string[];
}): Promise<void> {
  const wanted = (name: string) => options.cases.length === 0 || options.cases.includes(name);
  if (wanted('sequential') || wanted('inline') || wanted('start')) {
    await using host = await startBenchHost();
    if (wanted('sequential') || wanted('inline')) await stepCases(host, options.rounds);
    if (wanted('start')) await startCommand(host, options.rounds);
  }
  if (wanted('container-cold')) await containerCold(options.rounds);
}

/** Floor and figures take turns within one process, so that all see the same machine. */
async function stepCases(host: BenchHost, rounds: number): Promise<void> {
  const samples: Record<'bare' | 'sequential' | 'inline', number[]> = {
    bare: [],
    sequential: [],
    inline: [],
  };
  const executed: Record<'sequential' | 'inline', number> = { sequential: 0, inline: 0 };
  let from = 0;
  for (let round = -1; round < rounds; round++) {
    const kept = round >= 0;
    const bare = await timed(() =>
      host.temporal.workflow.execute('bare', {
        workflowId: randomUUID(),
        taskQueue: bareQueue,
        args: [{ steps, from }],
      }),
    );
    if (kept) samples.bare.push(bare / steps);
    for (const name of ['sequential', 'inline'] as const) {
      from += steps;
      const before = executedSoFar();
      const time = await timed(async () => (await host.client.start(name, { steps, from })).result());
      if (!kept) continue;
      samples[name].push(time / steps);
      executed[name] += executedSoFar() - before;
    }
  }
  const floor = median(samples.bare);
  for (const name of ['sequential', 'inline'] as const) {
    report({
      bench: 'overhead',
      case: name,
      unit: 'ms',
      value: median(samples[name]),
      floor,
      executed: executed[name],
    });
  }
}
