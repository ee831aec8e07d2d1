import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { SecretMissing } from '../sdk/errors.js';

/** Where values of secrets come from. Specs, history and catalog hold names only. */
export interface SecretSource {
  /** Undefined when it has no such secret. */
  value(name: string): Promise<string | undefined>;
  /** For messages: where it looks for a name. */
  readonly places: (name: string) => string;
}

/** A file of that name in `dir`, else the environment variable `<envPrefix><NAME>`. */
export function hostSecrets({
  dir,
  envPrefix,
  env = process.env,
}: {
  readonly dir: string | undefined;
  readonly envPrefix: string;
  readonly env?: NodeJS.ProcessEnv;
}): SecretSource {
  return {
    async value(name) {
      if (!/^[A-Za-z0-9_.-]+$/.test(name) || name.startsWith('.')) return undefined;
      const fromFile =
        dir === undefined ? undefined : await readFile(path.join(dir, name), 'utf8').catch(ignoreMissing);
      return fromFile?.replace(/\r?\n$/, '') ?? env[`${envPrefix}${name}`];
    },
    places: (name) =>
      [...(dir === undefined ? [] : [path.join(dir, name)]), `environment variable ${envPrefix}${name}`].join(
        ' or ',
      ),
  };
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}

/** @throws SecretMissing naming every one that is missing and where it was looked for */
export async function resolveSecrets<T extends { readonly name: string }>(
  uses: readonly T[],
  source: SecretSource,
): Promise<readonly (T & { readonly value: string })[]> {
  const found = await Promise.all(uses.map(async (use) => ({ ...use, value: await source.value(use.name) })));
  const missing = [...new Set(found.filter(({ value }) => value === undefined).map(({ name }) => name))];
  if (missing.length > 0) {
    throw new SecretMissing(
      `The worker has no value for ${missing.map((name) => `\`${name}\``).join(', ')}.`,
      {
        hint: `Give it as ${missing.map(source.places).join('; ')} on the worker's host.`,
        fields: { missing },
      },
    );
  }
  return found as (T & { readonly value: string })[];
}
