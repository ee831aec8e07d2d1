import { chown, readdir, readFile, writeFile } from 'node:fs/promises';
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DefinitionInvalid } from '../../sdk/errors.js';
import type { Execution, ExecutionIdentity } from './executor.js';
import type { OwnedFolder } from './owned-folder.js';
import { makeOwnedFolder, ownedFolders } from './owned-folder.js';

/** Files of one attempt's secrets, on tmpfs where the host has one: the folder holds a file per secret, named after it. */
export type SecretFiles = OwnedFolder;

const valuesFolder = 'values';

/** In the folder of secrets: shell text that exports those asked for as environment. */
export const exportsFile = '.environment.sh';

/** Where files of secrets lie on this host. */
export const secretsRoot = (): string => (isWritable('/dev/shm') ? '/dev/shm' : tmpdir());
export const secretsPrefix = (installation: string): string => `millrace-secrets-${installation}-`;

/**
 * Writes the secrets' files, readable by their owner only.
 * @param owner uid and gid that shall read them; default: this process's
 * @throws DefinitionInvalid when a name can be no file or variable
 */
export async function writeSecretFiles(
  { secrets, ...identity }: Execution,
  { owner, exports }: { readonly owner?: Owner | undefined; readonly exports: boolean },
): Promise<SecretFiles | undefined> {
  if (secrets.length === 0) return undefined;
  for (const secret of secrets) checkSecretName(secret);
  const prefix = path.join(secretsRoot(), secretsPrefix(identity.installation));
  const owned = await makeOwnedFolder(identity, { prefix, name: valuesFolder });
  const { folder } = owned;
  const files = [
    ...secrets.map(({ name, value }) => ({ name, value })),
    ...(exports ? [{ name: exportsFile, value: exportsOf(secrets) }] : []),
  ];
  try {
    for (const { name, value } of files) {
      const file = path.join(folder, name);
      await writeFile(file, value, { mode: 0o400 });
      if (owner) await chown(file, owner.uid, owner.gid);
    }
    if (owner) await chown(folder, owner.uid, owner.gid);
  } catch (error) {
    await owned.remove();
    throw error;
  }
  return owned;
}

/** Values in files that another worker wrote for this attempt. */
export async function leftSecretValues(identity: ExecutionIdentity): Promise<readonly string[]> {
  const folders = (await filesOf(identity)).map(({ root }) => path.join(root, valuesFolder));
  const values = folders.map(async (folder) => {
    const names = (await readdir(folder).catch(() => [])).filter((name) => name !== exportsFile);
    return Promise.all(names.map((name) => readFile(path.join(folder, name), 'utf8').catch(() => '')));
  });
  return (await Promise.all(values)).flat(2);
}

/** Removes all that were written for this attempt, whoever did. */
export async function removeSecretFiles(identity: ExecutionIdentity): Promise<void> {
  await Promise.all((await filesOf(identity)).map(({ remove }) => remove()));
}

const filesOf = async ({ installation, ...identity }: ExecutionIdentity) =>
  (await ownedFolders(path.join(secretsRoot(), secretsPrefix(installation)), installation)).filter(
    ({ run, step, attempt }) =>
      run === identity.run && step === identity.step && attempt === identity.attempt,
  );

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
