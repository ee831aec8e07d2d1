import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DefinitionInvalid } from '../../sdk/errors.js';
import type { Execution } from './executor.js';

/** Files of one attempt's secrets, on tmpfs where the host has one. */
export type SecretFiles = {
  /** Holds a file per secret, named after it. */
  readonly folder: string;
  /** Removes them. */
  remove(): Promise<void>;
};

/** In the folder of secrets: shell text that exports those asked for as environment. */
export const exportsFile = '.environment.sh';
/** Beside the folder of secrets: whose they are, for the sweep. */
export const ownerFile = 'owner.json';

/** Where files of secrets lie on this host. */
export const secretsRoot = (): string => (isWritable('/dev/shm') ? '/dev/shm' : tmpdir());
export const secretsPrefix = (installation: string): string => `millrace-secrets-${installation}-`;

/**
 * Writes the secrets' files, readable by their owner only.
 * @param owner uid and gid that shall read them; default: this process's
 * @throws DefinitionInvalid when a name can be no file or variable
 */
export async function writeSecretFiles(
  { installation, run, step, attempt, secrets }: Execution,
  { owner, exports }: { readonly owner?: Owner | undefined; readonly exports: boolean },
): Promise<SecretFiles | undefined> {
  if (secrets.length === 0) return undefined;
  for (const secret of secrets) checkSecretName(secret);
  const root = await mkdtemp(path.join(secretsRoot(), secretsPrefix(installation)));
  const folder = path.join(root, 'values');
  const files = [
    ...secrets.map(({ name, value }) => ({ name, value })),
    ...(exports ? [{ name: exportsFile, value: exportsOf(secrets) }] : []),
  ];
  try {
    await writeFile(path.join(root, ownerFile), JSON.stringify({ installation, run, step, attempt }));
    await mkdir(folder, { mode: 0o700 });
    for (const { name, value } of files) {
      const file = path.join(folder, name);
      await writeFile(file, value, { mode: 0o400 });
      if (owner) await chown(file, owner.uid, owner.gid);
    }
    if (owner) await chown(folder, owner.uid, owner.gid);
  } catch (error) {
    await rm(root, { recursive: true, force: true });
    throw error;
  }
  return { folder, remove: () => rm(root, { recursive: true, force: true }) };
}

export type Owner = { readonly uid: number; readonly gid: number };

function checkSecretName({ name, env }: Execution['secrets'][number]): void {
  if (!(env ? /^[A-Za-z_][A-Za-z0-9_]*$/ : /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/).test(name)) {
    throw new DefinitionInvalid(
      `Expected the name of a secret to be one of a ${env ? 'variable' : 'file'}, got ${JSON.stringify(name)}.`,
      { hint: `Use letters, digits${env ? '' : ', ., -'} and _.` },
    );
  }
}

const exportsOf = (secrets: Execution['secrets']): string =>
  secrets
    .filter(({ env }) => env)
    .map(({ name, value }) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join('');

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
