import type { S3Settings } from './s3-settings.js';

/** What a request that makes an object says about its encryption at rest. */
export function encryptionHeaders({ encryption = 'bucket', kmsKey }: S3Settings): {
  readonly ServerSideEncryption?: 'AES256' | 'aws:kms';
  readonly SSEKMSKeyId?: string;
} {
  if (encryption === 's3') return { ServerSideEncryption: 'AES256' };
  if (encryption === 'bucket') return {};
  return { ServerSideEncryption: 'aws:kms', ...(kmsKey !== undefined && { SSEKMSKeyId: kmsKey }) };
}
