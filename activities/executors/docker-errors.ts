import type { MillraceError } from '../../sdk/errors.js';
import { DockerUnavailable, InfrastructureFailed, isMillraceError } from '../../sdk/errors.js';

/** HTTP status of the engine's answer, where it answered. */
export const statusOf = (error: unknown): number | undefined =>
  (error as { statusCode?: number } | undefined)?.statusCode;

/** The engine's own words. */
export function reasonOf(error: unknown): string {
  const said = (error as { json?: { message?: unknown } } | undefined)?.json?.message;
  return typeof said === 'string' ? said : error instanceof Error ? error.message : String(error);
}

/**
 * The error as one of ours.
 * @param what what was tried: `Docker could not create the container`
 */
export function engineError(error: unknown, { what, host }: { what: string; host: string }): MillraceError {
  if (isMillraceError(error)) return error;
  if (statusOf(error) === undefined && isUnreachable(error)) {
    return new DockerUnavailable(`${unreachable(error, host)}.`, { hint: hintFor(error), cause: error });
  }
  return new InfrastructureFailed(`${what}: ${reasonOf(error)}.`, {
    hint: gpuHint(reasonOf(error)) ?? 'It is tried again by itself; `docker info` shows how the engine is.',
    cause: error,
  });
}

/** One sentence saying why the engine cannot be used and what to do. */
export const unavailableSentence = (error: unknown, host: string): string => {
  const { says, todo } = unavailableWords(error, host);
  return `${says}: ${todo}`;
};

/** The same in two: what is the matter, and what to do. */
export const unavailableWords = (
  error: unknown,
  host: string,
): { readonly says: string; readonly todo: string } =>
  isMillraceError(error)
    ? { says: error.what.replace(/\.$/, ''), todo: error.hint ?? '' }
    : { says: unreachable(error, host), todo: hintFor(error) };

const codes = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'EACCES',
  'EPERM',
  'ECONNRESET',
  'ENOTFOUND',
  'ETIMEDOUT',
  'EHOSTUNREACH',
]);

const codeOf = (error: unknown): string => (error as { code?: string } | undefined)?.code ?? '';
const isUnreachable = (error: unknown): boolean => codes.has(codeOf(error));

const unreachable = (error: unknown, host: string): string =>
  `No Docker engine answers at ${host} (${codeOf(error) || reasonOf(error)})`;

const hintFor = (error: unknown): string =>
  codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM'
    ? 'Add this user to the group docker and sign in again, or point DOCKER_HOST at an engine you may use.'
    : 'Start Docker, or point DOCKER_HOST at an engine; MILLRACE_EXECUTOR=process runs steps without one.';

const gpuHint = (reason: string): string | undefined =>
  reason.includes('could not select device driver')
    ? 'The step asks for GPUs: install the NVIDIA Container Toolkit on this host, or set `gpus: 0`.'
    : undefined;
