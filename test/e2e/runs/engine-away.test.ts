import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { dockerHost } from '../../../activities/executors/docker-connection.js';
import { describeWith } from '../../support/describe-with.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { startMillrace } from '../../support/start-millrace.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

const files = {
  'boxed.steps.ts': `
import { step } from 'millrace';
import { z } from 'zod';
export const boxed = step({ name: 'boxed', image: 'busybox:latest', command: ['true'], input: z.object({}), output: z.object({}) });`,
  'boxed.pipeline.ts': `
import { pipeline } from 'millrace';
import { z } from 'zod';
import { boxed } from './boxed.steps.js';
export const box = pipeline({ name: 'box', input: z.object({}) }, async () => { await boxed({}); return 'done'; });`,
};

describeWith({ temporal: true, docker: true }, 'a run that is started while the engine is away', () => {
  test('waits for it, and a dry run says at once what is missing', async () => {
    const { DOCKER_HOST } = process.env;
    const engine = dockerHost().replace(/^unix:\/\//, '');
    const socket = path.join(await temporaryFolder(), 'engine.sock');
    const sockets = new Set<Socket>();
    const through = createServer((incoming) => {
      const onward = connect(engine);
      const end = () => [incoming, onward].forEach((each) => each.destroy());
      for (const each of [incoming, onward]) sockets.add(each.on('error', end).on('close', end));
      incoming.pipe(onward).pipe(incoming);
    });
    releaseAtEnd(() => {
      for (const each of sockets) each.destroy();
      through.close();
    });
    process.env['DOCKER_HOST'] = `unix://${socket}`;
    releaseAtEnd(() => {
      if (DOCKER_HOST === undefined) delete process.env['DOCKER_HOST'];
      else process.env['DOCKER_HOST'] = DOCKER_HOST;
    });
    const { client } = await startMillrace({ files, env: { MILLRACE_EXECUTOR: 'docker' } });
    expect((await client.dryRun('box', {})).problems).toMatchObject([{ code: 'DOCKER_UNAVAILABLE' }]);
    const run = await client.start('box', {});
    await pause(3_000);
    expect((await run.view()).run.status).toBe('running');
    through.listen(socket);
    await once(through, 'listening');
    expect(await run.result()).toBe('done');
  });
});
