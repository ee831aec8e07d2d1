import { AttemptHandedOver } from '../sdk/errors.js';
import type { Attempt } from './attempt.js';

/**
 * Waits for room on the host. A step whose run is paused is given back before it begins: it keeps no place from others.
 * @throws AttemptHandedOver then; else as `Admission.acquire`
 */
export async function acquireRoom(
  { task, report, env }: Pick<Attempt, 'task' | 'report' | 'env'>,
  {
    resources,
    signal,
  }: { readonly resources: Attempt['task']['spec']['resources']; readonly signal: AbortSignal },
): Promise<() => void> {
  const onWait = (detail: string) => report.queued(detail);
  if (task.cleanup === true || task.spec.isolation === 'inline')
    return env.admission.acquire(resources, { signal, onWait });
  const isPaused = async () => (await env.catalog.pausedRuns()).has(task.run);
  const paused = new AbortController();
  const look = async () => {
    if (await isPaused().catch(() => false)) paused.abort(handedBack());
  };
  let timer: NodeJS.Timeout | undefined;
  try {
    const release = await env.admission.acquire(resources, {
      signal: AbortSignal.any([signal, paused.signal]),
      onWait(detail) {
        timer = setInterval(() => void look(), lookMs);
        onWait(detail);
      },
    });
    if (!(await isPaused().catch(() => false))) return release;
    release();
    throw handedBack();
  } catch (error) {
    if (error instanceof AttemptHandedOver) report.queued('its run is paused');
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/** How soon those who wait for room leave the line when their run is paused. */
const lookMs = 2_000;

const handedBack = (): AttemptHandedOver =>
  new AttemptHandedOver('The run is paused, and the step had not begun.', {
    hint: 'It begins when the run is resumed.',
    fields: { paused: true },
  });
