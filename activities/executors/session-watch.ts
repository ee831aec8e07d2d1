import { proportionalMemory, sessionMembers, sessionUsage } from './process-group.js';

/** Watches what a session uses. Without /proc (macOS) it knows nothing and limits nothing. */
export type SessionWatch = {
  cpuSeconds(): number | undefined;
  peakMemoryBytes(): number | undefined;
  stop(): void;
};

const intervalMs = 500;
const firstLookMs = 50;

/** Looks each 500 ms; calls `onOutOfMemory` when the session's processes hold more than `memory` bytes together. */
export function watchSession(
  session: number,
  { memory, onOutOfMemory }: { readonly memory: number; readonly onOutOfMemory: () => void },
): SessionWatch {
  let stopped = false;
  let cpu: number | undefined;
  let peak: number | undefined;
  const look = async () => {
    const members = await sessionMembers(session);
    if (members.length > 0) {
      const { memoryBytes, cpuSeconds } = await sessionUsage(members);
      // Workers forked from one parent share most pages: count those once before anything is killed.
      const held = memoryBytes > memory ? await proportionalMemory(members) : memoryBytes;
      cpu = Math.max(cpu ?? 0, cpuSeconds);
      if (held > 0) peak = Math.max(peak ?? 0, held);
      if (held > memory && !stopped) onOutOfMemory();
    }
    if (!stopped) next = setTimeout(() => void look(), intervalMs);
  };
  let next = setTimeout(() => void look(), firstLookMs);
  return {
    cpuSeconds: () => cpu,
    peakMemoryBytes: () => peak,
    stop() {
      stopped = true;
      clearTimeout(next);
    },
  };
}
