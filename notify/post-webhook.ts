import { webhookHeaders } from './sign-webhook.js';

export type WebhookMessage = {
  readonly id: string;
  /** JSON. */
  readonly body: string;
  /** The text it is signed with. Default: it is not signed. */
  readonly secret?: string | undefined;
  readonly signal: AbortSignal;
};

/** Posts a signed message. @throws when it is not taken: with what the service said, without its address's path */
export async function postWebhook(url: string, { id, body, secret, signal }: WebhookMessage): Promise<void> {
  const timestamp = Math.floor(Date.now() / 1000);
  const signed = webhookHeaders({ id, timestamp, body }, secret);
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': 'millrace', ...signed },
    body,
    // Elsewhere the signature is nobody's business.
    redirect: 'manual',
    signal,
  });
  if (response.ok) {
    // It was taken, whatever becomes of the rest of the answer.
    await response.body?.cancel().catch(() => undefined);
    return;
  }
  const at = new URL(url);
  const said = withoutPath(await beginning(response), at)
    .trim()
    .slice(0, longestSaid);
  throw new Error(`${at.origin} answered ${response.status}${said ? `: ${said}` : ''}`);
}

const longestSaid = 200;
const longestRead = 1_024;

/** The first kilobyte of an answer; what follows is not read. */
async function beginning({ body }: Response): Promise<Buffer> {
  let read = Buffer.alloc(0);
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    read = Buffer.concat([read, chunk]).subarray(0, longestRead);
    if (read.length === longestRead) break;
  }
  return read;
}

/** Services say where they were asked, and what many of them want as a secret is in the path. */
function withoutPath(said: Buffer, at: URL): string {
  const hidden = secretParts(at);
  const text = said.toString('utf8');
  const whole = said.length < longestRead ? text : text.slice(0, text.length - cutLength(text, hidden));
  return hidden.reduce((shown, part) => shown.replaceAll(part, '…'), whole);
}

/** The end of what was read may be the beginning of one. */
const cutLength = (text: string, hidden: readonly string[]): number =>
  Math.max(
    0,
    ...hidden.flatMap((part) =>
      Array.from({ length: part.length }, (_, index) => index).filter((length) =>
        text.endsWith(part.slice(0, length)),
      ),
    ),
  );

/** The whole of it, and each part that is long enough to be no common word, of the longest first. */
function secretParts({ pathname, search, searchParams }: URL): readonly string[] {
  const parts = [pathname, ...pathname.split('/'), ...searchParams.values()];
  const forms = [`${pathname}${search}`, ...parts.filter(({ length }) => length >= 6)].flatMap((part) => [
    part,
    decoded(part),
  ]);
  return [...new Set(forms)].filter(({ length }) => length > 1).sort((a, b) => b.length - a.length);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
