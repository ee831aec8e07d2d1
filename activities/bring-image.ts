import type { StepTask } from '../sdk/protocol/messages.js';
import type { WorkOptions } from './executors/executor.js';
import { imageRequest } from './image-request.js';
import type { StepEnvironment } from './step-environment.js';

/**
 * Has the image of a task on this host: another one may have resolved it for the run.
 * @throws InfrastructureFailed when it cannot be had here, DockerUnavailable
 */
export async function bringImage(
  { executor, image, spec }: StepTask,
  env: Pick<StepEnvironment, 'docker' | 'placed'>,
  options: WorkOptions,
): Promise<void> {
  if (executor !== 'docker' || !image) return;
  await env.docker.bring(image, () => imageRequest(spec, env), options);
}
