import { startBenchHost } from './bench-host.js';
import { recover500 } from './recover-500.js';

/** What comes after something went wrong; CONTRIBUTING.md has the bounds. */
export async function recovery(options: {
  readonly rounds: number;
  readonly cases: readonly string[];
}): Promise<void> {
  const wanted = (name: string) => options.cases.length === 0 || options.cases.includes(name);
  if (wanted('recover-500')) {
    await using host = await startBenchHost();
    await recover500(host, options.rounds);
  }
}
