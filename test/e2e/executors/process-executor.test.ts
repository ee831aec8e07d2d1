import { createProcessExecutor } from '../../../activities/executors/process-executor.js';
import { describeWith } from '../../support/describe-with.js';
import { executorContract, tryWith } from './executor-contract.js';

describeWith({ python: true }, 'the process executor', () => {
  const executor = createProcessExecutor();

  executorContract({
    attempt: () => tryWith(executor),
    python: 'python3',
    environment: () => ['HOME', 'LANG', 'PATH', 'TMPDIR'],
    uid: process.getuid?.() ?? 0,
  });

  test('can run steps here', async () => {
    expect(await executor.unavailable()).toBeUndefined();
  });
});
