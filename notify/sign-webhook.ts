import { createHmac } from 'node:crypto';

export type SignedMessage = {
  readonly id: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly body: string;
};

/**
 * The headers of a message by the Standard Webhooks convention (standardwebhooks.com), whose libraries verify it in many languages.
 * @param secret `whsec_` and base64, or any other text as it is; without one nothing is signed
 */
export function webhookHeaders(
  { id, timestamp, body }: SignedMessage,
  secret: string | undefined,
): Readonly<Record<string, string>> {
  const headers = { 'webhook-id': id, 'webhook-timestamp': String(timestamp) };
  if (secret === undefined) return headers;
  const key = secret.startsWith(prefix) ? Buffer.from(secret.slice(prefix.length), 'base64') : secret;
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { ...headers, 'webhook-signature': `v1,${signature}` };
}

const prefix = 'whsec_';
