/** What it returns is awaited. */
type Release = () => unknown;

const releases: Release[] = [];

/**
 * Undoes an acquisition after the test file's describe-level hooks, the last one first. A hook a test file registers at its own top
 * level runs later than this: stop what uses these things in a describe, or here.
 */
export function releaseAtEnd(release: Release): void {
  releases.push(release);
}

/** Undoes all of it, for a program that is no test file. @throws AggregateError of what could not be released */
export async function releaseAll(): Promise<void> {
  const failures: unknown[] = [];
  for (let release = releases.pop(); release; release = releases.pop()) {
    try {
      await release();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `could not release what the tests acquired: ${failures.join('; ')}`);
}

// The chaos suite is a program of its own.
if (typeof afterAll === 'function') afterAll(releaseAll);
