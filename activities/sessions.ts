import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sweep } from './executors/sweep.js';
import type { SweepOptions } from './executors/sweep.js';
import { removeTree } from './remove-tree.js';

/**
 * What a person tries on this host beside all runs: a folder and a mark of its own, so that no worker takes what it starts for an
 * attempt. Dispose removes the folder, unless it is kept.
 */
export interface Session extends AsyncDisposable {
  readonly folder: string;
  /** In the place of an installation's id: on its containers as label, in its processes' environment. */
  readonly installation: string;
  /** Leaves the folder when the session is over. */
  keep(): void;
}

export type SessionPlace = {
  /** Folder of all sessions of a state directory. */
  readonly sessions: string;
  readonly installation: string;
};

const beatMs = 5_000;
/** Without a beat for so long, and without its process, it is over. */
const staleMs = 60_000;
const ownerFile = 'session.json';

export async function openSession({ sessions, installation }: SessionPlace): Promise<Session> {
  const id = randomBytes(5).toString('hex');
  const folder = path.join(sessions, id);
  const owner = path.join(folder, ownerFile);
  const mark = `${installation}-session-${id}`;
  await mkdir(folder, { recursive: true });
  await writeFile(owner, JSON.stringify({ installation: mark, pid: process.pid } satisfies Owner));
  // The process may be one of another container, whose id says nothing here: so it also says that it lives.
  const beat = setInterval(() => void utimes(owner, new Date(), new Date()).catch(() => undefined), beatMs);
  beat.unref();
  let kept = false;
  return {
    folder,
    installation: mark,
    keep() {
      kept = true;
    },
    async [Symbol.asyncDispose]() {
      clearInterval(beat);
      await (kept ? removeTree(owner) : removeTree(folder));
    },
  };
}

/** Removes what sessions left whose process died: containers, processes, secrets and folders. Kept folders stay. */
export async function sweepSessions(
  { sessions }: Pick<SessionPlace, 'sessions'>,
  options: Pick<SweepOptions, 'docker' | 'logger' | 'signal'> = {},
): Promise<void> {
  for (const id of await readdir(sessions).catch(() => [])) {
    if (options.signal?.aborted) return;
    const folder = path.join(sessions, id);
    const left = await ownerOf(path.join(folder, ownerFile));
    if (!left || isAlive(left)) continue;
    await sweep({ ...options, installation: left.installation, isLive: () => Promise.resolve(false) });
    await removeTree(folder);
  }
}

type Owner = { readonly installation: string; readonly pid: number };

async function ownerOf(file: string): Promise<(Owner & { readonly beatAt: number }) | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
    return { ...(JSON.parse(text) as Owner), beatAt: mtimeMs };
  } catch {
    // Being made or removed just now, or kept.
    return undefined;
  }
}

function isAlive({ pid, beatAt }: Owner & { readonly beatAt: number }): boolean {
  if (Date.now() - beatAt < staleMs) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
