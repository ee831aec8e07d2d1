import type Docker from 'dockerode';
import { finished } from 'node:stream/promises';

/** What a container used, as far as it was sampled. */
export type ContainerUsage = {
  cpuSeconds(): number | undefined;
  peakMemoryBytes(): number | undefined;
  stop(): void;
};

/** Programs that end sooner are not sampled: asking costs the engine more than they do. */
const firstSampleMs = 250;

/** Follows the engine's statistics, one sample each second. Never fails: figures it could not get are undefined. */
export function sampleUsage(container: Docker.Container): ContainerUsage {
  const stopped = new AbortController();
  let cpu: number | undefined;
  let memory: number | undefined;
  const timer = setTimeout(() => {
    follow(container, stopped.signal, (sample) => {
      const nanoseconds = sample.cpu_stats?.cpu_usage?.total_usage ?? 0;
      const bytes = memoryOf(sample);
      if (nanoseconds > 0) cpu = Math.max(cpu ?? 0, nanoseconds / 1e9);
      if (bytes > 0) memory = Math.max(memory ?? 0, bytes);
    }).catch(() => undefined);
  }, firstSampleMs);
  return {
    cpuSeconds: () => cpu,
    peakMemoryBytes: () => memory,
    stop() {
      clearTimeout(timer);
      stopped.abort();
    },
  };
}

async function follow(
  container: Docker.Container,
  signal: AbortSignal,
  onSample: (sample: Partial<Docker.ContainerStats>) => void,
): Promise<void> {
  // Aborting the request itself: for a container that has just ended the engine may never answer.
  const request = { stream: true, abortSignal: signal } as { stream: true };
  const stream = await container.stats(request);
  let pending = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const lines = (pending + text).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) onSample(JSON.parse(line) as Partial<Docker.ContainerStats>);
  });
  await finished(stream);
}

/** As `docker stats` counts: without the page cache that can be given back. The names differ between cgroup v1 and v2. */
function memoryOf({ memory_stats: memory }: Partial<Docker.ContainerStats>): number {
  const fields = (memory?.stats ?? {}) as Partial<Record<string, number>>;
  const cache = fields['total_inactive_file'] ?? fields['inactive_file'] ?? 0;
  return Math.max(0, (memory?.usage ?? 0) - cache);
}
