import type { Config } from '../config/config.js';
import { TemporalUnavailable } from '../sdk/errors.js';

/** Why there is no connection, as `fields.reason` of TemporalUnavailable. */
export type Unavailability = 'none' | 'unreachable' | 'not temporal' | 'credentials' | 'namespace';

export const grpcCode = {
  notFound: 5,
  permissionDenied: 7,
  unauthenticated: 16,
} as const;

/** The gRPC status of an error or of what caused it. */
export function grpcStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };
  return typeof code === 'number' ? code : grpcStatus(cause);
}

/** The port did not even take a connection. */
export const unreachable = (address: string, cause: unknown): TemporalUnavailable =>
  new TemporalUnavailable(`The Temporal service at ${address} does not answer: ${reasonOf(cause)}.`, {
    hint: 'Start it, or correct TEMPORAL_ADDRESS; without an address `millrace dev` starts a service of its own.',
    fields: { address, reason: 'unreachable' satisfies Unavailability },
    cause,
  });

/** Of a host with several addresses each gives its own error; their sum has no message. */
function reasonOf(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const { code, message } = first as NodeJS.ErrnoException;
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'nothing listens there',
    ENOTFOUND: 'the host name is not known',
  };
  return known[code ?? ''] ?? message;
}

/** The port answered, but not as asked. */
export function refused(
  error: unknown,
  address: string,
  { temporal: { namespace, tls } }: Config,
): TemporalUnavailable {
  const status = grpcStatus(error);
  if (status === grpcCode.notFound) {
    return new TemporalUnavailable(`The Temporal service at ${address} has no namespace \`${namespace}\`.`, {
      hint: `Create it with \`temporal operator namespace create -n ${namespace}\`, or correct TEMPORAL_NAMESPACE.`,
      fields: { address, namespace, reason: 'namespace' satisfies Unavailability },
      cause: error,
    });
  }
  if (status === grpcCode.unauthenticated || status === grpcCode.permissionDenied) {
    return new TemporalUnavailable(`The Temporal service at ${address} does not accept these credentials.`, {
      hint: 'Check TEMPORAL_API_KEY and that it is meant for this namespace.',
      fields: { address, namespace, reason: 'credentials' satisfies Unavailability },
      cause: error,
    });
  }
  const why = error instanceof Error ? error.message : String(error);
  return new TemporalUnavailable(
    `What answers at ${address} is no Temporal service, or one with${tls ? 'out' : ''} TLS: ${why}.`,
    {
      hint: 'Check TEMPORAL_ADDRESS and TEMPORAL_TLS.',
      fields: { address, reason: 'not temporal' satisfies Unavailability },
      cause: error,
    },
  );
}
