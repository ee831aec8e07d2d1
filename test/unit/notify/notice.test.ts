import { noticeOf } from '../../../notify/notice.js';
import { newCatalog } from '../client/catalog.js';
import { aRun, at } from '../store/records.js';

test('a parked step that is told of late is not said to wait for a repair of a run that has ended', async () => {
  const catalog = await newCatalog();
  await catalog.insertRun(aRun());
  const failure = { code: 'STEP_FAILED', what: 'It broke.' };
  const told = () => noticeOf({ event: 'parked', run: 'run-1', path: 'train', failure }, at(1), catalog);
  expect((await told())?.data.text).toBe('Step train of run-1 is parked and waits for a repair: It broke.');
  await catalog.updateRun({ id: 'run-1', status: 'failed', closedAt: at(2) });
  expect((await told())?.data.text).toBe(
    'Step train of run-1 was parked: It broke. The run has ended since: failed.',
  );
});
