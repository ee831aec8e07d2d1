import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigInvalid } from '../sdk/errors.js';

/**
 * Makes the state directory where it is missing, and answers its installation id: 16 hex digits, made once whoever asks first.
 * @throws ConfigInvalid when the folder cannot be made or written
 */
export async function openStateDir(dir: string): Promise<string> {
  try {
    const made = await mkdir(dir, { recursive: true });
    if (made !== undefined) await writeFile(join(dir, '.gitignore'), '*\n');
    return (await readId(dir)) ?? (await makeId(dir));
  } catch (error) {
    if (error instanceof ConfigInvalid) throw error;
    throw new ConfigInvalid(`The state directory ${dir} cannot be used: ${(error as Error).message}.`, {
      hint: 'Make it writable, or choose another with `stateDir` or MILLRACE_STATE_DIR.',
      fields: { dir },
      cause: error,
    });
  }
}

async function makeId(dir: string): Promise<string> {
  const draft = join(dir, `.installation-${randomBytes(8).toString('hex')}`);
  await writeFile(draft, `${randomBytes(8).toString('hex')}\n`);
  try {
    // A link appears whole or fails: of two processes one wins, and both read the winner's.
    await link(draft, join(dir, 'installation'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
  const id = await readId(dir);
  if (id === undefined) throw new Error(`${join(dir, 'installation')} disappeared`);
  return id;
}

async function readId(dir: string): Promise<string | undefined> {
  const file = join(dir, 'installation');
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const id = text?.trim();
  if (id !== undefined && !/^[0-9a-f]{16}$/.test(id)) {
    throw new ConfigInvalid(`${file} holds no installation id (16 hex digits).`, {
      hint: 'Put the id back, or remove the file for a new one: containers of the old one are then no longer recognised.',
      fields: { file },
    });
  }
  return id;
}
