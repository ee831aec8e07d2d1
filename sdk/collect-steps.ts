import type { StepDefinition } from './step.js';

/** Every step made while a project is loaded, so that the loader finds those outside a steps file. */
export const stepCollector = (): StepDefinition[] | undefined =>
  (globalThis as { [COLLECTOR]?: StepDefinition[] })[COLLECTOR];
const COLLECTOR = Symbol.for('millrace.step-collector');

export async function collectSteps<T>(
  load: () => T | Promise<T>,
): Promise<{ readonly loaded: T; readonly steps: readonly StepDefinition[] }> {
  const steps: StepDefinition[] = [];
  const holder = globalThis as { [COLLECTOR]?: StepDefinition[] | undefined };
  const outer = holder[COLLECTOR];
  holder[COLLECTOR] = steps;
  try {
    return { loaded: await load(), steps };
  } finally {
    holder[COLLECTOR] = outer;
  }
}
