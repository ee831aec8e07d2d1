import { type ClientHttp2Session, connect } from 'node:http2';

export type Http2Probe = {
  /** host:port */
  readonly address: string;
  readonly tls: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
};

/** How far it came. */
export type Http2Answer =
  | { readonly reached: true; readonly speaks: true }
  | { readonly reached: boolean; readonly speaks: false; readonly error: unknown };

/**
 * Asks whether something that speaks HTTP/2, as gRPC does, answers at an address. gRPC itself tries again until its deadline,
 * does not say why it failed, and holds on to a connection whose other side is silent.
 */
export async function probeHttp2({ address, tls, timeoutMs, signal }: Http2Probe): Promise<Http2Answer> {
  const session = connect(`${tls ? 'https' : 'http'}://${address}`);
  let reached = false;
  session.once('connect', () => (reached = true));
  const limit = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]);
  try {
    await settings(session, limit, timeoutMs);
    return { reached: true, speaks: true };
  } catch (error) {
    signal?.throwIfAborted();
    return { reached, speaks: false, error };
  } finally {
    session.destroy();
  }
}

/** A server sends its settings first of all. */
const settings = (session: ClientHttp2Session, limit: AbortSignal, timeoutMs: number): Promise<void> =>
  new Promise((resolve, reject) => {
    session.once('remoteSettings', () => resolve());
    session.on('error', reject);
    session.once('close', () => reject(new Error('it closed the connection')));
    limit.addEventListener('abort', () => reject(new Error(`no answer within ${timeoutMs} ms`)), {
      once: true,
    });
  });
