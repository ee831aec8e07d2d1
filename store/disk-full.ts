import { InfrastructureFailed } from '../sdk/errors.js';

const codes: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EFBIG']);

/** Whether a disk would not take a write, now and for the next one. */
export const isDiskFull = (error: unknown): boolean =>
  codes.has((error as { readonly code?: unknown } | undefined)?.code);

/** Runs `work`, which writes at `place`. @throws InfrastructureFailed saying so when the disk takes no more */
export async function sayingDiskFull<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new InfrastructureFailed(`The disk of ${place} takes no more: ${message}.`, {
      hint: 'Make room there; `df` shows what is free. What was being written was removed again.',
      fields: { place, code },
      cause: error,
    });
  }
}
