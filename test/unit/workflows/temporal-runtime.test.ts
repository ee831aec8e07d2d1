import { z } from 'zod';
import type { RunState } from '../../../sdk/protocol/messages.js';
import { STEP, step } from '../../../sdk/step.js';
import { reduceRun, startedRun } from '../../../workflows/run-reducer.js';
import { stepProxy } from '../../../workflows/step-proxy.js';
import { temporalRuntime } from '../../../workflows/temporal-runtime.js';
import { storedSpec } from '../../support/stored-spec.js';

/** A runtime outside Temporal: what would need the service throws there. */
function runtimeOf(planned: readonly string[]) {
  let state: RunState = { ...startedRun('run-1', 'p'), plan: { executor: 'process', images: {} } };
  const runtime = temporalRuntime({
    request: { run: 'run-1', pipeline: 'p', build: 'b', queue: 'q', input: {}, tags: {} },
    planned,
    onFailure: undefined,
    repairs: { wait: () => new Promise(() => undefined) },
    leftOut: { any: false, mark: async () => undefined, told: async () => undefined },
    gates: { wait: () => new Promise(() => undefined) },
    cancellation: {
      requested: () => false,
      cause: () => ({}),
      cleanupOver: () => undefined,
      body: (run) => run(),
      call: (_, run) => run({ cleanup: false }),
      cleanUp: (run) => run(),
      end: () => undefined,
    },
    pause: { isHeld: () => false, hold: () => undefined, lift: () => undefined },
    children: { during: (_, child) => child, tell: () => Promise.resolve() },
    state: () => state,
    record: (event) => {
      state = reduceRun(state, event);
    },
  });
  return { runtime, steps: () => state.steps };
}

test('a container that nobody planned is refused, and never runs on the host', async () => {
  const none = z.object({});
  const { spec } = step({
    name: 'boxed',
    image: 'busybox:latest',
    command: ['true'],
    input: none,
    output: none,
  })[STEP];
  stepProxy(storedSpec(spec));
  const unplanned = runtimeOf(['other']);
  await expect(unplanned.runtime.step('boxed', {})).rejects.toMatchObject({
    code: 'UNKNOWN_STEP',
    message: expect.stringContaining('`boxed` was not seen among those its pipeline can call'),
  });
  expect(unplanned.steps()).toMatchObject([{ path: 'boxed', status: 'failed' }]);
  // One that was planned gets as far as Temporal, which is not here.
  await expect(runtimeOf(['boxed']).runtime.step('boxed', {})).rejects.not.toMatchObject({
    code: 'UNKNOWN_STEP',
  });
});
