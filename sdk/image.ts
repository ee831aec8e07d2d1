/** Which image a step runs in: one that is pulled, or one built from a folder with a Dockerfile. */
export type ImageSpec =
  | { readonly kind: 'reference'; readonly reference: string }
  | { readonly kind: 'build'; readonly context: string; readonly dockerfile: string };

/**
 * An image by reference (`'python:3.12-slim'`), resolved to its digest once when a run starts. Where the step's source has a
 * `requirements.txt`, an image derived from it with those packages is built once and kept.
 */
export function image(reference: string): ImageSpec {
  return { kind: 'reference', reference };
}

/**
 * An image built from a Dockerfile.
 * @param context folder of the build, relative to the steps file
 * @param options.dockerfile its name inside the context; default `Dockerfile`
 */
image.build = (context: string, options: { readonly dockerfile?: string } = {}): ImageSpec => ({
  kind: 'build',
  context,
  dockerfile: options.dockerfile ?? 'Dockerfile',
});
