import { startBenchHost } from './bench-host.js';
import { cancelToGone } from './cancel-to-gone.js';
import { deployRestarts } from './deploy-restarts.js';
import { recover500 } from './recover-500.js';
import { repairToRunning } from './repair-to-running.js';
import { workerLost } from './worker-lost.js';

const cases: Readonly<Record<string, (rounds: number) => Promise<void>>> = {
  // Both of one death, which takes a while.
  'worker-lost-noticed': (rounds) => workerLost(rounds, 'worker-lost-noticed'),
  'adoption-lost-time': (rounds) => workerLost(rounds, 'adoption-lost-time'),
  'deploy-restarts': deployRestarts,
  'repair-to-running': repairToRunning,
  'cancel-to-gone': cancelToGone,
  'recover-500': async (rounds) => {
    await using host = await startBenchHost();
    await recover500(host, rounds);
  },
};

/** What deaths, deploys, repairs and cancels cost, each case beside its limit; CONTRIBUTING.md has them. */
export async function recovery({
  rounds,
  cases: wanted,
}: {
  readonly rounds: number;
  readonly cases: readonly string[];
}): Promise<void> {
  for (const [name, run] of Object.entries(cases))
    if (wanted.length === 0 || wanted.includes(name)) await run(Math.min(rounds, mostRounds));
}

/** Each waits for what takes its time. */
const mostRounds = 3;
