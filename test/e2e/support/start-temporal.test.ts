import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { searchAttributes } from '../../../sdk/protocol/names.js';
import { describeWith } from '../../support/describe-with.js';
import { startTemporal } from '../../support/start-temporal.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

describeWith({ temporal: true }, 'startTemporal', () => {
  test('gives a service that answers and knows our search attributes, apart from any other', async () => {
    const [one, two] = await Promise.all([startTemporal(), startTemporal()]);
    expect(one.address).not.toBe(two.address);
    const connection = await Connection.connect({ address: one.address });
    const known = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
    expect(Object.keys(known.customAttributes ?? {})).toEqual(
      expect.arrayContaining(Object.values(searchAttributes)),
    );
    await connection.close();
  });

  test('keeps its state in a database file across a crash', async () => {
    const database = join(await temporaryFolder(), 'temporal.db');
    const first = await startTemporal({ database });
    const connection = await Connection.connect({ address: first.address });
    const start = {
      namespace: 'default',
      workflowId: 'kept',
      workflowType: { name: 'nothing' },
      taskQueue: { name: 'nobody' },
      requestId: 'once',
    };
    await connection.workflowService.startWorkflowExecution(start);
    await connection.close();
    await first.kill();
    expect(() => process.kill(first.pid, 0)).toThrow('ESRCH');

    const second = await startTemporal({ database, port: first.port });
    const again = await Connection.connect({ address: second.address });
    const found = await again.workflowService.describeWorkflowExecution({
      namespace: 'default',
      execution: { workflowId: 'kept' },
    });
    expect(found.workflowExecutionInfo?.execution?.workflowId).toBe('kept');
    await again.close();
  });
});
