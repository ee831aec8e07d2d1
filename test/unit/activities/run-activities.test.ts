import path from 'node:path';
import { asyncLocalStorage, type Context } from '@temporalio/activity';
import pino from 'pino';
import { createProjector } from '../../../activities/projector.js';
import { runActivities } from '../../../activities/run-activities.js';
import type { StepEnvironment } from '../../../activities/step-environment.js';
import { activityNames, workflowQueue } from '../../../sdk/protocol/names.js';
import { openCatalog } from '../../../store/open-catalog.js';
import { releaseAtEnd } from '../../support/release-at-end.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { aRun, at } from '../store/records.js';

test('a run that who started it told of by another clock began when its own clock says, so that it began before its steps', async () => {
  const folder = await temporaryFolder();
  const catalog = await openCatalog(`sqlite:${path.join(folder, 'catalog.db')}`);
  releaseAtEnd(() => catalog[Symbol.asyncDispose]());
  const projector = createProjector(catalog, { logger: pino({ level: 'silent' }) });
  const { id: run, pipeline, build, queue, input } = aRun();
  await catalog.insertRun(aRun({ startedAt: at(9), tags: { by: 'ada' } }));
  const { [activityNames.openRun]: openRun } = runActivities({
    catalog,
    projector,
    executor: 'process',
  } as StepEnvironment);
  const request = { run, pipeline, build, queue, input, tags: {}, startedAt: at(1), dueAt: at(5), specs: [] };
  const context = { info: { taskQueue: workflowQueue(queue, build) } } as Context;
  await asyncLocalStorage.run(context, () => openRun(request));
  expect(await catalog.run(run)).toMatchObject({ startedAt: at(1), dueAt: at(5), tags: { by: 'ada' } });
});
