import { S3Client } from '@aws-sdk/client-s3';
import { signAnnouncedBodies } from './announced-body.js';
import type { S3Settings } from './s3-settings.js';

/** Connections to one service, kept open between requests. */
const mostSockets = 64;

/** A client that tries nothing again by itself: `createS3Calls` does, and knows for how long. */
export function createS3Client(settings: S3Settings, env: NodeJS.ProcessEnv = process.env): S3Client {
  const { AWS_ENDPOINT_URL_S3: ofS3, AWS_ENDPOINT_URL: ofAll, AWS_REGION, AWS_DEFAULT_REGION } = env;
  const endpoint = settings.endpoint ?? (ofS3 || ofAll || undefined);
  const region =
    settings.region ?? (AWS_REGION || AWS_DEFAULT_REGION || (endpoint ? 'us-east-1' : undefined));
  const agent = { keepAlive: true, maxSockets: mostSockets };
  // The version is pinned, and runs on every Node that this package runs on.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const client = new S3Client({
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    forcePathStyle: settings.pathStyle ?? endpoint !== undefined,
    maxAttempts: 1,
    // It would say on stderr what is tried again here.
    logger: { trace: silent, debug: silent, info: silent, warn: silent, error: silent },
    // What is sent carries its sha256 in the signature, what is read is checked against its name: no more sums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    // A clock that is off is said, not worked around: ages and leases go by it as well.
    disableClockSkewCorrection: true,
    requestHandler: { connectionTimeout: 5_000, socketTimeout: 30_000, httpAgent: agent, httpsAgent: agent },
  });
  signAnnouncedBodies(client);
  return client;
}

const silent = (): void => {};
