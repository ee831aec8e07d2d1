import { readdirSync } from 'node:fs';
import { mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/** Checkpoints that are whole have a number as their name; the highest is the last. The Python helper does the same. */
export function lastCheckpoint(place: string): string | undefined {
  const last = numbered(place).at(-1);
  return last === undefined ? undefined : path.join(place, last);
}

/** Has `write` fill a folder beside the last checkpoint, and gives it its name when it is whole. */
export async function writeCheckpoint(
  place: string,
  attempt: number,
  write: (folder: string) => Promise<void> | void,
): Promise<void> {
  const own = `.${attempt}-`;
  const draft = await mkdtemp(path.join(place, own));
  try {
    await write(draft);
    await syncFiles(draft);
    const older = numbered(place);
    const next = Number(older.at(-1) ?? 0) + 1;
    await rename(draft, path.join(place, String(next).padStart(8, '0')));
    // Of attempts that were killed while they wrote.
    const left = readdirSync(place).filter((name) => /^\.\d+-/.test(name) && !name.startsWith(own));
    for (const name of [...older, ...left])
      await rm(path.join(place, name), { recursive: true, force: true });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

const numbered = (place: string): readonly string[] =>
  readdirSync(place)
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(a) - Number(b));

/** Before they get their name: a machine that loses its power must not leave empty ones. */
async function syncFiles(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = await open(path.join(entry.parentPath, entry.name), 'r');
    await file.sync();
    await file.close();
  }
}
