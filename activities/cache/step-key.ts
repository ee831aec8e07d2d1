import { packageVersion } from '../../config/package-root.js';
import type { Digest } from '../../sdk/artifact.js';
import type { StepTask } from '../../sdk/protocol/messages.js';
import type { KeyParts } from '../../store/cache-index.js';
import type { ExecuteOptions } from '../executors/executor.js';
import type { StepEnvironment } from '../step-environment.js';
import { contentKey, keyParts } from './content-key.js';

export type StepKey = { readonly key: Digest; readonly parts: KeyParts };

/**
 * The content key of a step on this host.
 * @param input as the step's schema made it
 * @returns undefined when only installing its packages would tell, and `install` is false
 */
export async function stepKey(
  task: StepTask,
  input: unknown,
  { env, install, ...options }: ExecuteOptions & { readonly env: StepEnvironment; readonly install: boolean },
): Promise<StepKey | undefined> {
  const { spec, executor } = task;
  const facts = { platform: `${process.platform}-${process.arch}`, helper: packageVersion() };
  if (executor === 'docker') return keyed(keyParts(task, input, facts));
  const source = spec.source && (await env.placed.place('tree', spec.source));
  const interpreter = await env.process.interpreter({ command: spec.command, source, install }, options);
  return interpreter && keyed(keyParts(task, input, { ...facts, interpreter }));
}

const keyed = (parts: KeyParts): StepKey => ({ key: contentKey(parts), parts });
