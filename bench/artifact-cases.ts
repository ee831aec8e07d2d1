import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { packageRoot } from '../config/package-root.js';
import type { BenchS3 } from './bench-s3.js';
import { startBenchS3 } from './bench-s3.js';
import { ended } from './ended.js';
import { median, report, timed } from './report.js';
import type { Measured } from './store-child.js';

export type StoreBench = {
  readonly rounds: number;
  readonly cases: readonly string[];
  /** Bytes of the large file. */
  readonly size: number;
  /** How many small files of 10 KiB. */
  readonly files: number;
};

const mebibyte = 2 ** 20;

/** One operation of ours and its floor: each gives its milliseconds. */
type Case = {
  readonly name: string;
  readonly ours: () => Promise<Measured>;
  readonly floor: () => Promise<number>;
  readonly against: string;
};

/** Storing and fetching of files, on disk and on S3, against the quickest public tools. Ours and floor take turns. */
export async function artifactCases({ rounds, cases, size, files }: StoreBench): Promise<void> {
  const wanted = (name: string): boolean => cases.length === 0 || cases.includes(name);
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-bench-'));
  try {
    const large = path.join(folder, 'large');
    const small = path.join(folder, 'small');
    await writeLarge(large, size);
    await writeSmall(small, files);
    for (const each of localCases(folder, { large, small })) {
      if (wanted(each.name)) await measure(each, rounds);
    }
    if (!['s3-put-1GiB', 's3-get-1GiB', 's3-put-10k-files'].some(wanted)) return;
    await using s3 = await startBenchS3(folder);
    for (const each of s3Cases(folder, { large, small, s3 })) {
      if (wanted(each.name)) await measure(each, rounds);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Inputs = { readonly large: string; readonly small: string };

function localCases(folder: string, { large, small }: Inputs): readonly Case[] {
  const root = path.join(folder, 'store');
  const copied = path.join(folder, 'copied');
  const url = `file:${root}`;
  const shell = async (command: string): Promise<number> => {
    await rm(copied, { recursive: true, force: true });
    return await timed(() => ended('sh', ['-c', command, 'sh', large, small, copied], { cwd: folder }));
  };
  const put = async (source: string): Promise<Measured> => {
    await rm(root, { recursive: true, force: true });
    return await child(folder, [url, 'put', source]);
  };
  const hashAll = `find "$2" -type f -print0 | xargs -0 -P ${availableParallelism()} -n 500 sha256sum > /dev/null`;
  return [
    {
      name: 'put-1GiB',
      ours: () => put(large),
      floor: () => shell('sha256sum "$1" > /dev/null && cp "$1" "$3"'),
      against: 'sha256sum + cp',
    },
    {
      name: 'get-1GiB',
      ours: placed(folder, url, () => put(large)),
      floor: () => shell('sha256sum "$1" > /dev/null && cp "$1" "$3"'),
      against: 'sha256sum + cp',
    },
    {
      name: 'put-10k-files',
      ours: () => put(small),
      floor: () => shell(`cp -r "$2" "$3" && ${hashAll}`),
      against: 'cp -r + sha256sum, one a cpu',
    },
  ];
}

function s3Cases(folder: string, { large, small, s3 }: Inputs & { readonly s3: BenchS3 }): readonly Case[] {
  const copied = path.join(folder, 'copied');
  let count = 0;
  // A prefix of its own each time: nothing is there already.
  const fresh = (): string => `s3://${s3.bucket}/${++count}`;
  const put = (source: string) => child(folder, [fresh(), 'put', source], s3.env);
  const hash = (): Promise<string> => ended('sha256sum', [large], { cwd: folder });
  const hashAll = `find "$1" -type f -print0 | xargs -0 -P ${availableParallelism()} -n 500 sha256sum > /dev/null`;
  const store = `s3://${s3.bucket}/kept`;
  let there: Promise<void> | undefined;
  return [
    {
      name: 's3-put-1GiB',
      ours: () => put(large),
      floor: () =>
        timed(async () => {
          await hash();
          await s3.copy(large, `${fresh()}/large`);
        }),
      against: `sha256sum + ${s3.tool}`,
    },
    {
      name: 's3-get-1GiB',
      ours: placed(folder, store, () => child(folder, [store, 'put', large], s3.env), s3.env),
      floor: async () => {
        there ??= s3.copy(large, `s3://${s3.bucket}/floor/large`);
        await there;
        await rm(copied, { recursive: true, force: true });
        return await timed(async () => {
          await s3.copy(`s3://${s3.bucket}/floor/large`, copied);
          await ended('sha256sum', [copied], { cwd: folder });
        });
      },
      against: `sha256sum + ${s3.tool}`,
    },
    {
      name: 's3-put-10k-files',
      ours: () => put(small),
      floor: () =>
        timed(async () => {
          await ended('sh', ['-c', hashAll, 'sh', small], { cwd: folder });
          await s3.copy(`${small}/`, `${fresh()}/`);
        }),
      against: `sha256sum, one a cpu, + ${s3.tool}`,
    },
  ];
}

/** Places what was put once, by a new process each time: it has checked nothing yet. */
function placed(
  folder: string,
  url: string,
  put: () => Promise<Measured>,
  env?: NodeJS.ProcessEnv,
): () => Promise<Measured> {
  let stored: Promise<Measured> | undefined;
  return async () => {
    const { digest = '', type = '' } = await (stored ??= put());
    const target = path.join(folder, 'placed');
    await rm(target, { recursive: true, force: true });
    return await child(folder, [url, 'get', digest, type, target], env);
  };
}

async function measure({ name, ours, floor, against }: Case, rounds: number): Promise<void> {
  const samples: Measured[] = [];
  const bare: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const measured = await ours();
    const least = await floor();
    // The first warms the caches of both.
    if (round < 0 && rounds > 1) continue;
    samples.push(measured);
    bare.push(least);
  }
  report({
    bench: 'store',
    case: name,
    unit: 'ms',
    value: median(samples.map(({ ms }) => ms)),
    floor: median(bare),
    executed: samples.length,
    memory: Math.round(Math.max(...samples.map(({ memory }) => memory))),
    against,
  });
}

async function child(cwd: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Measured> {
  const script = path.join(packageRoot(), 'dist/bench/store-child.js');
  const stdout = await ended(process.execPath, [script, ...args], { cwd, ...(env && { env }) });
  return JSON.parse(stdout) as Measured;
}

async function writeLarge(file: string, size: number): Promise<void> {
  await using target = await open(file, 'w');
  for (let left = size; left > 0; left -= mebibyte) await target.write(randomBytes(Math.min(left, mebibyte)));
}

async function writeSmall(folder: string, files: number): Promise<void> {
  for (let index = 0; index < files; index += 1) {
    const place = path.join(folder, String(Math.floor(index / 100)));
    if (index % 100 === 0) await mkdir(place, { recursive: true });
    await writeFile(path.join(place, String(index)), randomBytes(10 * 1024));
  }
}
