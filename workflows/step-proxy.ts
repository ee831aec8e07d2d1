import type { StepSpec } from '../sdk/step-spec.js';
import type { Step } from '../sdk/step.js';
import { currentRuntime } from '../sdk/runtime.js';

const specs = new Map<string, StepSpec>();

/** What the loader puts in the place of a step's code: its name and recorded spec. */
export function stepProxy(spec: StepSpec): Step {
  specs.set(spec.name, spec);
  const call = (input: unknown) => currentRuntime(`step \`${spec.name}\``).step(spec.name, input);
  return call as unknown as Step;
}

/** Every step the pipeline can reach by its imports. */
export const reachableSpecs = (): readonly StepSpec[] => [...specs.values()];

export const specOf = (name: string): StepSpec | undefined => specs.get(name);
