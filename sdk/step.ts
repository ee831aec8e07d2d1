import type { z } from 'zod';
import { stepCollector } from './collect-steps.js';
import { currentRuntime } from './runtime.js';
import type { StepHandler } from './step-handler.js';
import type { CommandStepOptions, FunctionStepOptions } from './step-options.js';
import type { UnresolvedStepSpec } from './step-spec.js';
import { specOf } from './step-spec.js';

export type Step<I extends z.ZodObject = z.ZodObject, O extends z.ZodObject = z.ZodObject> = ((
  input: z.input<I>,
) => Promise<z.output<O>>) & {
  readonly [STEP]: StepDefinition<I, O>;
};

export const STEP = Symbol.for('millrace.step');

/** A step as Node sees it: schemas and code. The workflow side sees only its `StepSpec`. */
export type StepDefinition<I extends z.ZodObject = z.ZodObject, O extends z.ZodObject = z.ZodObject> = {
  readonly spec: UnresolvedStepSpec;
  readonly input: I;
  readonly output: O;
  readonly handler: StepHandler<I, O> | undefined;
};

/**
 * Declares a step. In a `*.steps.ts` file only: the workflow bundle gets a proxy of it, never its code.
 * @returns a function that pipelines call with the step's input
 * @throws DefinitionInvalid naming the option that is wrong
 */
export function step<I extends z.ZodObject, O extends z.ZodObject>(
  options: CommandStepOptions<I, O>,
): Step<I, O>;
export function step<I extends z.ZodObject, O extends z.ZodObject>(
  options: FunctionStepOptions<I, O>,
  handler: StepHandler<I, O>,
): Step<I, O>;
export function step<I extends z.ZodObject, O extends z.ZodObject>(
  options: CommandStepOptions<I, O> | FunctionStepOptions<I, O>,
  handler?: StepHandler<I, O>,
): Step<I, O> {
  const spec = specOf(options, handler !== undefined);
  const definition: StepDefinition<I, O> = { spec, input: options.input, output: options.output, handler };
  const call = (input: z.input<I>) =>
    currentRuntime(`step \`${spec.name}\``).step(spec.name, input) as Promise<z.output<O>>;
  const made = Object.assign(call, { [STEP]: definition });
  stepCollector()?.push(definition);
  return made;
}

export const isStep = (value: unknown): value is Step => typeof value === 'function' && STEP in value;
