import type { StepSpec } from '../sdk/step-spec.js';
import type { Step } from '../sdk/step.js';
import { currentRuntime } from '../sdk/runtime.js';

const specs = new Map<string, StepSpec>();

/**
 * What the loader puts in the place of a step's code: its name and recorded spec.
 * @param _marker by which the loader sees whether a bundle holds this proxy
 */
export function stepProxy(spec: StepSpec, _marker?: string): Step {
  specs.set(spec.name, spec);
  const call = (input: unknown) => currentRuntime(`step \`${spec.name}\``).step(spec.name, input);
  return call as unknown as Step;
}

/** Every step whose proxy this sandbox has loaded. */
export const loadedSpecs = (): readonly StepSpec[] => [...specs.values()];

export const specOf = (name: string): StepSpec | undefined => specs.get(name);
