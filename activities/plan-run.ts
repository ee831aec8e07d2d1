import type { MillraceError } from '../sdk/errors.js';
import { DockerUnavailable, isMillraceError } from '../sdk/errors.js';
import type { ResolvedImage, RunPlan } from '../sdk/protocol/messages.js';
import type { StepSpec } from '../sdk/step-spec.js';
import { refuseImpossible } from './admission.js';
import type { WorkOptions } from './executors/executor.js';
import { imageRequest } from './image-request.js';
import { resolveSecrets } from './secrets.js';
import type { StepEnvironment } from './step-environment.js';

/**
 * Refuses a run that could not finish here, and plans one that needs no image.
 * @returns undefined when images must be looked at first
 * @throws SecretMissing, CapacityExceeded
 */
export async function planWithoutImages(
  specs: readonly StepSpec[],
  env: StepEnvironment,
): Promise<RunPlan | undefined> {
  for (const { name, secrets, resources } of specs) {
    try {
      await resolveSecrets(secrets, env.secrets);
      refuseImpossible(resources, env.admission.capacity);
    } catch (error) {
      throw isMillraceError(error) ? error.at({ step: name }) : error;
    }
  }
  if (env.executor === 'process' || !specs.some(inContainer)) return { executor: 'process', images: {} };
  return undefined;
}

/** No engine, or no registry: what a machine lacks. A wrong name or a broken Dockerfile is a mistake, and no reason to leave the container. */
const isAway = ({ code, fields }: MillraceError): boolean =>
  code === 'DOCKER_UNAVAILABLE' || (code === 'IMAGE_NOT_FOUND' && fields['unreachable'] === true);

/**
 * Decides once where a run's containers execute and which image each step gets: fixed from then on.
 * @throws DockerUnavailable, ImageNotFound, ImageBuildFailed when the worker's executor is `docker`; `auto` falls back
 */
export async function planRun(
  specs: readonly StepSpec[],
  env: StepEnvironment,
  options: WorkOptions,
): Promise<RunPlan> {
  try {
    const reason = await env.docker.unavailable({ signal: options.signal });
    if (reason !== undefined) throw new DockerUnavailable(reason);
    const images: Record<string, ResolvedImage> = {};
    for (const spec of specs.filter(inContainer))
      images[spec.name] = await env.docker.resolve(await imageRequest(spec, env), options);
    return { executor: 'docker', images };
  } catch (error) {
    if (env.executor === 'docker' || !isMillraceError(error) || options.signal.aborted || !isAway(error))
      throw error;
    return {
      executor: 'process',
      images: {},
      warning: `Steps run as processes on the worker's host, not in containers: ${error.message}`,
    };
  }
}

export const inContainer = ({ isolation, image }: StepSpec): boolean =>
  isolation === 'container' && image !== undefined;
