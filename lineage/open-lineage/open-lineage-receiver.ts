import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Receiver } from '../../outbox/receiver.js';
import type { LifecycleEvent } from '../../store/outbox.js';
import type { RenderOptions } from './render-event.js';
import { renderEvent } from './render-event.js';

export type OpenLineageOptions = RenderOptions & {
  /** `http://…`, `https://…` or `file:<path>`: JSON, one event a line. */
  readonly target: string;
  /** Sent as `Authorization: Bearer …`; asked for each event, so that a secret may change. Default: none. */
  readonly token?: () => Promise<string | undefined>;
};

export const openLineageName = 'openlineage';

/** Tells an OpenLineage service, or a file, of every run and step. */
export function openLineageReceiver(options: OpenLineageOptions): Receiver {
  const { target } = options;
  const deliver = target.startsWith('file:')
    ? (text: string) => appendLine(target.slice('file:'.length), text)
    : (text: string, signal: AbortSignal) => post(text, options, signal);
  return {
    name: openLineageName,
    topics: ['lifecycle'],
    async send({ body, createdAt }, signal) {
      const event = await renderEvent(body as LifecycleEvent, createdAt, options);
      if (event) await deliver(JSON.stringify(event), signal);
    },
  };
}

async function post(body: string, { target, token }: OpenLineageOptions, signal: AbortSignal): Promise<void> {
  const bearer = await token?.();
  const response = await fetch(target, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
    },
    body,
    signal,
  });
  const text = await response.text();
  if (response.ok) return;
  const said = text.trim().slice(0, 200);
  throw new Error(`${new URL(target).origin} answered ${response.status}${said ? `: ${said}` : ''}`);
}

/** A line that a full disk cut off gets its end first, so that it spoils no other. */
async function appendLine(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'a+');
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
    const cut = bytesRead === 1 && buffer.toString() !== '\n';
    await file.appendFile(`${cut ? '\n' : ''}${text}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}
