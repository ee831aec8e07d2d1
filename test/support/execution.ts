import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Execution } from '../../activities/executors/executor.js';
import { packageRoot } from '../../config/package-root.js';
import { STEP, step } from '../../sdk/step.js';
import type { CommandStepOptions } from '../../sdk/step-options.js';
import { storedSpec } from './stored-spec.js';

type Options = Partial<CommandStepOptions<z.ZodObject, z.ZodObject>>;

/** Of this process, so that test files running at the same time do not see each other's. */
export const testInstallation = `test-${process.pid}`;

/** An execution as the activity hands it to an executor; its folder and log are the test's to make. */
export function executionOf(options: Options = {}, given: Partial<Execution> = {}): Execution {
  const made = step({
    name: 'try',
    input: z.object({}),
    output: z.object({}),
    command: ['true'],
    ...options,
  });
  const { spec } = made[STEP];
  return {
    installation: testInstallation,
    run: `run-${randomUUID()}`,
    step: 'try#2',
    attempt: 1,
    key: 'key-1',
    spec: storedSpec(spec),
    image: undefined,
    command: () => spec.command ?? [],
    folder: '/nowhere',
    source: undefined,
    code: undefined,
    helper: path.join(packageRoot(), 'sdk/python'),
    log: '/nowhere.log',
    secrets: [],
    ...given,
  };
}
