import type { MillraceError } from '../../sdk/errors.js';
import { ConfigInvalid, InfrastructureFailed, isMillraceError, StoreUnavailable } from '../../sdk/errors.js';

/** What a failed request means: tried again, an answer for its caller to judge, or an error of ours. */
export type S3Failure =
  | { readonly kind: 'transient' }
  | { readonly kind: 'answer' }
  | { readonly kind: 'final'; readonly error: Error };

/** Whether the object, or the upload, is not there. */
export const isNotFound = (error: unknown): boolean => statusOf(error) === 404;

/** Whether a condition did not hold: there is an object of that key, or another one by now. */
export const isPreconditionFailed = (error: unknown): boolean => statusOf(error) === 412;

/** Whether the body that arrived is not the one whose sha256 was announced. */
export const isBodyChanged = (error: unknown): boolean => codeOf(error) === 'XAmzContentSHA256Mismatch';

/** Judges a request's failure. @param location of the store, for people */
export function judgeS3Failure(error: unknown, location: string): S3Failure {
  if (isMillraceError(error)) return { kind: 'final', error };
  const code = codeOf(error);
  const status = statusOf(error);
  // The answer to a HEAD has no body that would say which refusal it is.
  const said = refusals[code] ?? (status === 403 ? refusals['AccessDenied'] : undefined) ?? ofTheSdk(error);
  if (said) return { kind: 'final', error: said(describe(error, location), error) };
  if (isNotFound(error) || isPreconditionFailed(error) || isBodyChanged(error)) return { kind: 'answer' };
  if (status === undefined ? isNetwork(error) : passing(status, code)) return { kind: 'transient' };
  return {
    kind: 'final',
    error: new InfrastructureFailed(describe(error, location), {
      hint: 'See what the S3 service says about it.',
      fields: { code, status, location },
      cause: error,
    }),
  };
}

/** What to say when a service was waited for in vain. */
export const notAnswering = (error: unknown, location: string, waitedMs: number): MillraceError =>
  new StoreUnavailable(`${describe(error, location)} It was tried for ${Math.round(waitedMs / 1000)} s.`, {
    hint: 'Check that the service runs and that `s3.endpoint` leads to it; what was being done can be done again.',
    fields: { code: codeOf(error), status: statusOf(error), location },
    cause: error,
  });

type Say = (what: string, cause: unknown) => MillraceError;

const config =
  (hint: string): Say =>
  (what, cause) =>
    new ConfigInvalid(what, { hint, cause });
const unavailable =
  (hint: string): Say =>
  (what, cause) =>
    new StoreUnavailable(what, { hint, cause });

const wrongKeys = config(
  'Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile or role they come from.',
);
const noBucket = config(
  'Create the bucket, or correct `store` (MILLRACE_STORE) and `s3.endpoint` (MILLRACE_S3_ENDPOINT).',
);
const otherRegion = config('Set `s3.region` (MILLRACE_S3_REGION) to the region of the bucket.');
const full = unavailable('Make room on the S3 service.');
const oldToken = unavailable('Renew the session token; a worker takes the new one up by itself.');

const refusals: Readonly<Record<string, Say>> = {
  InvalidAccessKeyId: wrongKeys,
  SignatureDoesNotMatch: wrongKeys,
  InvalidToken: wrongKeys,
  InvalidClientTokenId: wrongKeys,
  CredentialsProviderError: config(
    'Give credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of the machine.',
  ),
  AccessDenied: config(
    'Allow s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload there (docs/configuration.md).',
  ),
  AllAccessDisabled: wrongKeys,
  NoSuchBucket: noBucket,
  InvalidBucketName: noBucket,
  PermanentRedirect: otherRegion,
  AuthorizationHeaderMalformed: otherRegion,
  IllegalLocationConstraintException: otherRegion,
  ExpiredToken: oldToken,
  TokenRefreshRequired: oldToken,
  RequestTimeTooSkewed: unavailable("Set this machine's clock, by NTP for one, or the service's."),
  XMinioStorageFull: full,
  QuotaExceeded: full,
  XMinioAdminBucketQuotaExceeded: full,
};

/** Errors that the SDK makes before it asks anybody. */
const ofTheSdk = (error: unknown): Say | undefined =>
  /region is missing/i.test(String((Object(error) as SdkError).message)) ? otherRegion : undefined;

/** Statuses and codes that pass by themselves. */
const passing = (status: number, code: string): boolean =>
  (status >= 500 && status !== 501) ||
  status === 429 ||
  status === 408 ||
  status === 409 ||
  code === 'RequestTimeout';

const networkWords =
  /\b(?:E(?:CONN(?:RESET|REFUSED|ABORTED)|PIPE|TIMEDOUT|AI_AGAIN|NOTFOUND|HOST(?:UNREACH|DOWN)|NET(?:UNREACH|DOWN)|ADDRNOTAVAIL)|ERR_STREAM_PREMATURE_CLOSE|HPE_\w+|TimeoutError|socket hang up|aborted)\b/;

/** By code, name or words: the SDK wraps some errors in others that keep no more than the words. */
function isNetwork(error: unknown): boolean {
  const { code, name, message, cause } = Object(error) as Partial<NodeJS.ErrnoException>;
  return (
    [code, name, message].some((said) => networkWords.test(String(said))) ||
    (cause !== undefined && isNetwork(cause))
  );
}

type SdkError = {
  readonly name?: unknown;
  readonly Code?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
};

const statusOf = (error: unknown): number | undefined =>
  (Object(error) as SdkError).$metadata?.httpStatusCode;

function codeOf(error: unknown): string {
  const { name, Code, code } = Object(error) as SdkError;
  if (typeof Code === 'string') return Code;
  if (typeof name === 'string' && name !== 'Error') return name;
  return typeof code === 'string' ? code : '';
}

function describe(error: unknown, location: string): string {
  const { message } = Object(error) as SdkError;
  const said = typeof message === 'string' && message !== '' ? message.replace(/\.?\s*$/, '') : String(error);
  const code = codeOf(error);
  const status = statusOf(error);
  return `The store ${location} answers: ${said}${code === '' ? '' : ` (${status === undefined ? '' : `${status} `}${code})`}.`;
}
