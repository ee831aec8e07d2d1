import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Puts what `make` leaves as `temporal` in a folder at `target`, whole or not at all, once it has shown that it runs.
 * @throws when it does not run
 */
export async function keepExecutable(target: string, make: (folder: string) => Promise<void>): Promise<void> {
  // Beside the target, so that it is one rename away from it.
  const folder = await mkdtemp(join(dirname(target), '.making-'));
  try {
    await make(folder);
    const made = join(folder, 'temporal');
    await chmod(made, 0o755);
    const { stdout } = await promisify(execFile)(made, ['--version'], { timeout: 30_000 });
    if (!stdout.startsWith('temporal version'))
      throw new Error(`what came is no Temporal CLI: ${stdout.slice(0, 80)}`);
    await rename(made, target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
