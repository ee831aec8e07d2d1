import type { StoreBench } from './artifact-cases.js';
import { artifactCases } from './artifact-cases.js';
import { cachedSteps } from './cached-steps.js';
import { catalogStep } from './catalog-step.js';

const cases: Readonly<Record<string, (rounds: number) => Promise<void>>> = {
  'cached-50': cachedSteps,
  'catalog-step': catalogStep,
};

/** What the store and the cache cost, each case against its floor; CONTRIBUTING.md has the bounds. */
export async function store(options: StoreBench): Promise<void> {
  for (const [name, run] of Object.entries(cases))
    if (options.cases.length === 0 || options.cases.includes(name)) await run(options.rounds);
  const known = Object.keys(cases);
  if (options.cases.length === 0 || options.cases.some((name) => !known.includes(name)))
    await artifactCases(options);
}
