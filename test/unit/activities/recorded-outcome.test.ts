import path from 'node:path';
import pino from 'pino';
import { createProjector } from '../../../activities/projector.js';
import { recordedOutcome } from '../../../activities/recorded-outcome.js';
import type { StepEnvironment } from '../../../activities/step-environment.js';
import { openArtifactStore } from '../../../store/open-artifact-store.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { valuesByReference } from '../../../store/values-by-reference.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { aRun, anAttempt, aStep } from '../store/records.js';

async function outcome(status: 'running' | 'completed' | 'failed' | 'lost', output: unknown = { auc: 0.8 }) {
  const folder = await temporaryFolder();
  const store = await openArtifactStore(`file:${folder}/artifacts`);
  const catalog = valuesByReference(await openCatalog(`sqlite:${path.join(folder, 'catalog.db')}`), store);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  await catalog.insertRun(aRun());
  const failure = { code: 'STEP_FAILED', what: 'It ended with exit code 2.' };
  await catalog.project({
    attempts: [anAttempt({ status, ...(status === 'failed' && { failure }) })],
    steps: [
      status === 'completed' ? aStep({ status, output }) : aStep({ status: 'retrying' }),
      aStep({ path: 'other', status: 'completed', output: { auc: 0.1 } }),
    ],
  });
  const projector = createProjector(catalog, { logger: pino({ level: 'silent' }) });
  const env = { catalog, store, projector } as StepEnvironment;
  return recordedOutcome(env, { run: 'run-1', step: 'train', attempt: 1 });
}

test('an attempt that was recorded as completed gives its output again, a large one too', async () => {
  expect(await outcome('completed')).toEqual({ result: { output: { auc: 0.8 } } });
  const large = { text: 'x'.repeat(200_000) };
  expect(await outcome('completed', large)).toEqual({ result: { output: large } });
});

test('one that was recorded as failed has that failure', async () => {
  expect(await outcome('failed')).toMatchObject({ failure: { code: 'STEP_FAILED' } });
});

test.each(['running', 'lost'] as const)('one that is %s has no outcome', async (status) => {
  expect(await outcome(status)).toBeUndefined();
});
