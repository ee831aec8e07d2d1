import type { StepSpec, UnresolvedStepSpec } from '../../sdk/step-spec.js';

/** The spec of a step that was not built: nothing of it is stored, and it is not cached. */
export const storedSpec = (spec: UnresolvedStepSpec, given: Partial<StepSpec> = {}): StepSpec => ({
  ...spec,
  source: undefined,
  code: undefined,
  imageContext: undefined,
  cache: undefined,
  logic: undefined,
  ...given,
});
