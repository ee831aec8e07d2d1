import type { WorkflowExecutionDescription } from '@temporalio/client';
import { projectMove } from '../../../client/moved-run.js';
import { aBuild, aRun, at } from '../store/records.js';
import { newCatalog } from './catalog.js';

/** A run that began on build `old`, as the service describes it. */
const described = (build?: string) =>
  ({
    raw: {
      workflowExecutionInfo: {
        taskQueue: 'millrace/old',
        versioningInfo: build && {
          versioningOverride: {
            pinned: { version: { deploymentName: 'millrace/millrace/old', buildId: build } },
          },
        },
      },
    },
  }) as unknown as WorkflowExecutionDescription;

async function openRun(build: string) {
  const catalog = await newCatalog();
  await catalog.insertRun(aRun({ build }));
  const look = async (pinned?: string) => {
    await projectMove((await catalog.run('run-1'))!, described(pinned), catalog);
    const move = await catalog.moves.of('run-1');
    return { build: (await catalog.run('run-1'))?.build, move: move && [move.home, move.build] };
  };
  return { catalog, look };
}

test('a run that is pinned though nothing is noted of it is noted, so that workers serve it', async () => {
  const { look } = await openRun('old');
  expect(await look()).toEqual({ build: 'old', move: undefined });
  expect(await look('new')).toEqual({ build: 'new', move: ['old', 'new'] });
  // Whose build is known, but not that it is moved; and one that is pinned to the build it began with.
  expect(await (await openRun('new')).look('new')).toEqual({ build: 'new', move: ['old', 'new'] });
  expect(await (await openRun('old')).look('old')).toEqual({ build: 'old', move: ['old', 'old'] });
});

test('what is noted of a move under way stays', async () => {
  const { catalog, look } = await openRun('old');
  await catalog.moves.begin(aBuild({ id: 'third' }), [
    { run: 'run-1', home: 'old', build: 'third', at: at(5) },
  ]);
  expect(await look('new')).toEqual({ build: 'new', move: ['old', 'third'] });
});
