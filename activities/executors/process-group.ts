import { readdir, readFile } from 'node:fs/promises';

/** What the processes of one session use and have used. */
export type SessionUsage = {
  /** Resident bytes; pages that several share count for each. */
  readonly memoryBytes: number;
  /** Of the processes there are and of children they waited for. */
  readonly cpuSeconds: number;
};

const ticksPerSecond = 100;

/** Members of a session that still run, by id. Empty where the system has no /proc. */
export async function sessionMembers(session: number): Promise<readonly number[]> {
  const all = await Promise.all((await processIds()).map(readStat));
  return all.flatMap((stat) => (stat?.session === session && stat.state !== 'Z' ? [stat.pid] : []));
}

export async function sessionUsage(members: readonly number[]): Promise<SessionUsage> {
  const found = await Promise.all(
    members.map(async (pid) => ({ stat: await readStat(pid), memory: await field(pid, 'status', 'VmRSS') })),
  );
  return {
    memoryBytes: found.reduce((sum, { memory }) => sum + memory, 0),
    cpuSeconds: found.reduce((sum, { stat }) => sum + (stat?.cpuSeconds ?? 0), 0),
  };
}

/** Bytes where a page that several processes share counts once in all; slower to get than resident bytes. */
export async function proportionalMemory(members: readonly number[]): Promise<number> {
  const sizes = await Promise.all(members.map((pid) => field(pid, 'smaps_rollup', 'Pss')));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Processes of this user whose environment holds these variables, with all the environment they were started with. */
export async function processesWith(
  variables: Readonly<Record<string, string>>,
): Promise<readonly { readonly pid: number; readonly env: ReadonlyMap<string, string> }[]> {
  const wanted = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const found = await Promise.all(
    (await processIds()).map(async (pid) => {
      const entries = (await read(pid, 'environ')).split('\0');
      return wanted.every((entry) => entries.includes(entry)) ? [{ pid, env: toMap(entries) }] : [];
    }),
  );
  return found.flat();
}

async function processIds(): Promise<readonly number[]> {
  const names = await readdir('/proc').catch(() => []);
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

type Stat = {
  readonly pid: number;
  readonly state: string;
  readonly session: number;
  readonly cpuSeconds: number;
};

async function readStat(pid: number): Promise<Stat | undefined> {
  const text = await read(pid, 'stat');
  // The program's name, in brackets, may hold anything: what follows its end counts from field 3 of proc(5).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 16) return undefined;
  const ticks = fields.slice(11, 15).reduce((sum, value) => sum + Number(value), 0);
  return {
    pid,
    state: fields[0] ?? '',
    session: Number(fields[3]),
    cpuSeconds: ticks / ticksPerSecond,
  };
}

async function field(pid: number, file: string, name: string): Promise<number> {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(await read(pid, file))?.[1];
  return Number(kib ?? 0) * 1024;
}

/** Empty for a process that is gone or another user's. */
const read = (pid: number, file: string): Promise<string> =>
  readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');

const toMap = (entries: readonly string[]): ReadonlyMap<string, string> =>
  new Map(
    entries
      .filter((entry) => entry.includes('='))
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
