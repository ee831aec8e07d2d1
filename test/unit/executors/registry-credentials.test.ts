import { registryCredentials, registryOf } from '../../../activities/executors/registry-credentials.js';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { temporaryFolder } from '../../support/temporary-folder.js';

const encoded = (text: string) => Buffer.from(text).toString('base64');

async function credentials(registry: string, config: unknown) {
  const folder = await temporaryFolder();
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
  return registryCredentials(registry, { env: { DOCKER_CONFIG: folder, PATH: folder } });
}

describe('credentials of a registry', () => {
  test('belong to the host a reference names, else to the hub', () => {
    expect(registryOf('python:3.12')).toBe('docker.io');
    expect(registryOf('team/python:3.12')).toBe('docker.io');
    expect(registryOf('ghcr.io/team/python')).toBe('ghcr.io');
    expect(registryOf('localhost/python')).toBe('localhost');
    expect(registryOf('registry:5000/python@sha256:00')).toBe('registry:5000');
  });

  test('are those of `docker login`, whatever form its file has', async () => {
    const auth = encoded('ann:pa:ss');
    const login = { username: 'ann', password: 'pa:ss' };
    expect(await credentials('ghcr.io', { auths: { 'ghcr.io': { auth } } })).toMatchObject(login);
    expect(await credentials('ghcr.io', { auths: { 'https://ghcr.io/v2/': { auth } } })).toMatchObject(login);
    expect(
      await credentials('docker.io', { auths: { 'https://index.docker.io/v1/': { auth } } }),
    ).toMatchObject(login);
    expect(await credentials('acr.io', { auths: { 'acr.io': { identitytoken: 'tok', auth: '' } } })).toEqual({
      identitytoken: 'tok',
      serveraddress: 'acr.io',
    });
  });

  test('are none for another registry, without a file and with a helper that is missing', async () => {
    expect(await credentials('quay.io', { auths: { 'ghcr.io': { auth: encoded('a:b') } } })).toBeUndefined();
    expect(await credentials('quay.io', { credsStore: 'missing' })).toBeUndefined();
    expect(await registryCredentials('quay.io', { env: { DOCKER_CONFIG: '/nowhere' } })).toBeUndefined();
  });
});
