import { inspect } from 'node:util';
import { takesCalls } from '../../../activities/executors/engine-dial.js';
import { fakeEngine } from '../../support/fake-engine.js';

test('asking whether the engine takes calls costs no inspection of the connection, which would hold up the whole worker', async () => {
  const { docker } = await fakeEngine({ 'GET /_ping': { status: 200 } });
  const seen: string[] = [];
  const modem = Object.create(docker.modem) as object & { agent?: unknown };
  const dial = (docker.modem as unknown as { dial: (...args: unknown[]) => void }).dial;
  Object.defineProperty(modem, 'dial', {
    value(this: typeof modem, ...args: unknown[]) {
      // As docker-modem does with each call.
      seen.push(inspect({ agent: this.agent }, { showHidden: true, depth: null }));
      dial.apply(this, args);
    },
  });
  expect(await takesCalls(modem as typeof docker.modem)).toBe(true);
  expect(seen).toEqual(['{ agent: Agent }']);
});
