import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { hostSecrets, resolveSecrets } from '../../../activities/secrets.js';
import { SecretMissing } from '../../../sdk/errors.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

async function source() {
  const folder = await temporaryFolder();
  const dir = path.join(folder, 'secrets');
  await mkdir(dir);
  await writeFile(path.join(folder, 'outside'), 'not meant for steps');
  await writeFile(path.join(dir, 'IN_FILE'), 'from the file\n');
  await writeFile(path.join(dir, 'TWO_LINES'), 'one\ntwo\r\n');
  await writeFile(path.join(dir, 'EMPTY'), '');
  await writeFile(path.join(dir, '.hidden'), 'x');
  const env = {
    S_IN_FILE: 'from the environment',
    S_IN_ENV: 'from the environment\n',
    IN_NEITHER: 'without prefix',
    'S_../outside': 'x',
  };
  return { dir, secrets: hostSecrets({ dir, envPrefix: 'S_', env }) };
}

test.each([
  ['IN_FILE', 'from the file'],
  ['IN_ENV', 'from the environment\n'],
  ['TWO_LINES', 'one\ntwo'],
  ['EMPTY', ''],
  ['IN_NEITHER', undefined],
  ['../outside', undefined],
  ['..', undefined],
  ['.hidden', undefined],
  ['a/../IN_FILE', undefined],
  ['/etc/hostname', undefined],
  ['', undefined],
])(
  'the secret %p is %p: the file goes before the environment, and no name leads out of the folder',
  async (name, value) => {
    const { secrets } = await source();
    expect(await secrets.value(name)).toBe(value);
  },
);

test('without a folder the environment is asked, and named alone', async () => {
  const secrets = hostSecrets({ dir: undefined, envPrefix: 'S_', env: { S_A: '1' } });
  expect(await secrets.value('A')).toBe('1');
  expect(secrets.places('A')).toBe('environment variable S_A');
});

test('each use keeps what it says of the secret', async () => {
  const { secrets } = await source();
  expect(await resolveSecrets([{ name: 'IN_FILE', env: true }], secrets)).toEqual([
    { name: 'IN_FILE', env: true, value: 'from the file' },
  ]);
});

test('every missing secret is named, once each, with where it was looked for, and no value', async () => {
  const { dir, secrets } = await source();
  const asked = ['GONE', 'IN_FILE', 'LOST', 'GONE'].map((name) => ({ name }));
  const error: unknown = await resolveSecrets(asked, secrets).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SecretMissing);
  expect(error).toMatchObject({
    what: 'The worker has no value for `GONE`, `LOST`.',
    fields: { missing: ['GONE', 'LOST'] },
    hint: `Give it as ${dir}/GONE or environment variable S_GONE; ${dir}/LOST or environment variable S_LOST on the worker's host.`,
  });
  expect(JSON.stringify(error)).not.toContain('from the');
});
