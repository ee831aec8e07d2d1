import { dockerCheck } from '../../../cli/doctor/check-docker.js';
import type { Config } from '../../../config/config.js';
import { fakeEngine } from '../../support/fake-engine.js';

async function look(LiveRestoreEnabled: boolean) {
  const engine = await fakeEngine({
    'GET /version': { status: 200, json: { Version: '20.10.24', ApiVersion: '1.41', Os: 'linux' } },
    'GET /images/node:22-slim/json': { status: 200, json: { Id: 'sha256:1' } },
    'POST /containers/create': { status: 201, json: { Id: 'abc' } },
    'POST /containers/abc/start': { status: 204 },
    'POST /containers/abc/wait': { status: 200, json: { StatusCode: 0 } },
    'DELETE /containers/abc': { status: 204 },
    'GET /info': { status: 200, json: { LiveRestoreEnabled } },
  });
  const { DOCKER_HOST } = process.env;
  process.env['DOCKER_HOST'] = `unix://${engine.socketPath}`;
  try {
    return await dockerCheck.look({ worker: { executor: 'docker' } } as Config);
  } finally {
    if (DOCKER_HOST === undefined) delete process.env['DOCKER_HOST'];
    else process.env['DOCKER_HOST'] = DOCKER_HOST;
  }
}

test('doctor advises live-restore where a restart of the engine would end running steps', async () => {
  expect(await look(true)).toMatchObject({ status: 'ok' });
  expect(await look(false)).toMatchObject({
    status: 'warn',
    says: expect.stringContaining('a restart of the engine ends running steps'),
    todo: expect.stringContaining('"live-restore": true in /etc/docker/daemon.json'),
  });
});
