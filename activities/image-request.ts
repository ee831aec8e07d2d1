import { DockerUnavailable } from '../sdk/errors.js';
import type { StepSpec } from '../sdk/step-spec.js';
import type { ImageRequest } from './executors/executor.js';
import type { StepEnvironment } from './step-environment.js';

/** What a step's image is made from, with its folders on this host. */
export async function imageRequest(
  { name, image, source, imageContext }: StepSpec,
  { placed }: Pick<StepEnvironment, 'placed'>,
): Promise<ImageRequest> {
  if (!image) throw new DockerUnavailable(`Step \`${name}\` has no image.`);
  return {
    image,
    requirements: source && (await placed.place('tree', source)),
    context: imageContext && (await placed.place('tree', imageContext)),
  };
}
