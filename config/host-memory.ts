import { totalmem } from 'node:os';

/** Bytes of memory this process may use: the host's, or its control group's limit (v1 or v2) where that is less. */
export function hostMemory(total = totalmem(), constrained = process.constrainedMemory()): number {
  // Without a limit Node answers 0, or on v1 a number beyond any machine's memory.
  return constrained > 0 ? Math.min(total, constrained) : total;
}
