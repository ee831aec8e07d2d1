import { z } from 'zod';

/** Version of docs/step-contract.md that this code follows. */
export const contractVersion = 1;

/** Names inside the step's folder. */
export const contract = {
  input: 'input.json',
  inputs: 'in',
  outputs: 'out',
  output: 'output.json',
  checkpoint: 'checkpoint',
  events: 'events.jsonl',
  secrets: 'secrets',
} as const;

/** Path of an input artifact inside the step's folder, by its keys in the input. Keys come from data: none may lead out of in/. */
export const inputPath = (keys: readonly string[]): string =>
  [contract.inputs, ...keys.map(safeKey)].join('/');

const safeKey = (key: string): string =>
  key === '.' || key === '..' ? key.replaceAll('.', '%2E') : key.replaceAll('/', '%2F');

/** Where containers find the step's folder, its source, its bundle and the helper. */
export const containerPaths = {
  folder: '/millrace',
  source: '/millrace/source',
  code: '/millrace/code/step.cjs',
  helper: '/millrace/helper',
} as const;

export const contractEnv = {
  version: 'MILLRACE_CONTRACT',
  folder: 'MILLRACE_DIR',
  run: 'MILLRACE_RUN',
  step: 'MILLRACE_STEP',
  attempt: 'MILLRACE_ATTEMPT',
} as const;

export const exitCodes = {
  /** The step says that trying again is useless. From sysexits.h: EX_DATAERR. */
  nonRetryable: 65,
  /** It ended because it was told to, by SIGTERM (15): not a failure of its own. */
  stopped: 128 + 15,
} as const;

/** One line of the events file. Lines that are no such JSON are reported once and skipped. */
export const stepEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('metric'),
    name: z.string().min(1).max(200),
    value: z.number(),
    index: z.number().int().optional(),
    at: z.string().optional(),
  }),
  z.object({
    type: z.literal('progress'),
    fraction: z.number().min(0).max(1),
    message: z.string().optional(),
    at: z.string().optional(),
  }),
  z.object({
    type: z.literal('message'),
    level: z.enum(['debug', 'info', 'warn', 'error']),
    text: z.string(),
    fields: z.record(z.string(), z.unknown()).optional(),
    at: z.string().optional(),
  }),
  z.object({
    type: z.literal('failure'),
    message: z.string(),
    retryable: z.boolean(),
    at: z.string().optional(),
  }),
]);
export type StepEvent = z.infer<typeof stepEvent>;
