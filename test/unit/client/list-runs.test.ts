import type { ClientParts } from '../../../client/client-parts.js';
import { listRuns } from '../../../client/list-runs.js';
import { TemporalUnavailable } from '../../../sdk/errors.js';
import { aRun, aStep, at } from '../store/records.js';
import { newCatalog } from './catalog.js';

test('runs are listed with what they wait for a person with, and found by it, also old ones and by what a child run waits for', async () => {
  const catalog = await newCatalog();
  const closed = { status: 'completed', closedAt: at(9) } as const;
  await catalog.insertRun(aRun({ id: 'oldest', startedAt: at(0) }));
  await catalog.insertRun(aRun({ id: 'oldest.score', parent: { run: 'oldest', path: 'score' } }));
  await catalog.insertRun(aRun({ id: 'held', startedAt: at(1) }));
  await catalog.insertRun(aRun({ id: 'gated', startedAt: at(2) }));
  for (const second of [3, 4, 5]) await catalog.insertRun(aRun({ id: `done-${second}`, startedAt: at(second), ...closed })); // prettier-ignore
  await catalog.updateRun({ id: 'held', paused: { by: 'ada', at: at(3) } });
  await catalog.project({
    steps: [
      aStep({ run: 'oldest.score', path: 'train', status: 'parked' }),
      aStep({ run: 'gated', path: 'release', kind: 'approval', status: 'waiting' }),
    ],
  });
  // No service is asked: nothing is to be brought in line with it.
  const parts = {
    catalog,
    temporal: () => Promise.reject(new TemporalUnavailable('away')),
  } as unknown as ClientParts;
  const ids = async (filter: Parameters<typeof listRuns>[1]) =>
    (await listRuns(parts, filter)).map(({ id }) => id);
  expect(await ids({ limit: 2 })).toEqual(['done-5', 'done-4']);
  expect(await ids({ status: 'parked', limit: 2 })).toEqual(['oldest']);
  expect(await ids({ status: 'waiting' })).toEqual(['gated']);
  expect(await ids({ status: 'paused' })).toEqual(['held']);
  expect(await ids({ status: 'completed', limit: 1 })).toEqual(['done-5']);
  expect((await listRuns(parts, { status: 'parked' }))[0]?.held).toEqual([
    { path: 'score/train', status: 'parked' },
  ]);
});
