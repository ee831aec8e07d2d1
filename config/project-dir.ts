import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const configNames = ['millrace.config.ts', 'millrace.config.js', 'millrace.config.mjs'];

export type ProjectDir = {
  readonly dir: string;
  /** Absolute path of its config file, when there is one. */
  readonly configFile: string | undefined;
};

/** The nearest folder upwards with a millrace.config file, else with a package.json, else `cwd` itself. */
export function findProjectDir(cwd: string): ProjectDir {
  const folders = upwards(resolve(cwd));
  for (const dir of folders) {
    const name = configNames.find((candidate) => existsSync(join(dir, candidate)));
    if (name !== undefined) return { dir, configFile: join(dir, name) };
  }
  const dir = folders.find((folder) => existsSync(join(folder, 'package.json'))) ?? resolve(cwd);
  return { dir, configFile: undefined };
}

const upwards = (folder: string): readonly string[] =>
  dirname(folder) === folder ? [folder] : [folder, ...upwards(dirname(folder))];
