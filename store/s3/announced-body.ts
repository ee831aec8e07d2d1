import type { S3Client } from '@aws-sdk/client-s3';

const announced = new WeakMap<object, string>();

/** Gives a request's body the sha256 (hexadecimal) it is known to have: it is signed as such, and a service refuses another. */
export function announceBody<B extends object>(body: B, sha256: string): B {
  announced.set(body, sha256);
  return body;
}

/** Makes a client sign announced bodies without reading them: it would hash them a second time, and streams it could not. */
export function signAnnouncedBodies(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const { Body } = args.input as { readonly Body?: unknown };
      const sha256 = typeof Body === 'object' && Body !== null ? announced.get(Body) : undefined;
      const { headers } = args.request as { readonly headers: Record<string, string> };
      if (sha256 !== undefined) headers['x-amz-content-sha256'] = sha256;
      return await next(args);
    },
    { step: 'build', name: 'signAnnouncedBodies' },
  );
}
