import { readFileSync } from 'node:fs';
import path from 'node:path';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';

type Lock = { readonly packages: Readonly<Record<string, { readonly version?: string }>> };

test('one protobufjs is installed, whatever the packages of Temporal ask for', () => {
  const lock = JSON.parse(
    readFileSync(path.join(import.meta.dirname, '../../package-lock.json'), 'utf8'),
  ) as Lock;
  const copies = Object.entries(lock.packages).filter(([name]) => name.endsWith('node_modules/protobufjs'));
  expect(copies.map(([name]) => name)).toEqual(['node_modules/protobufjs']);
  const installed = new Set(
    ['@temporalio/proto', '@temporalio/client', '@temporalio/common'].map((name) =>
      require.resolve('protobufjs', { paths: [path.dirname(require.resolve(`${name}/package.json`))] }),
    ),
  );
  expect(installed.size).toBe(1);
});

/** As `temporal workflow show --output json` prints it. */
const recorded = {
  events: [
    {
      eventId: '1',
      eventTime: '2026-01-01T00:00:00.123456789Z',
      eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED',
      taskId: '1048587',
      workflowExecutionStartedEventAttributes: {
        workflowType: { name: 'quickstart' },
        taskQueue: { name: 'millrace/0123456789abcdef', kind: 'TASK_QUEUE_KIND_NORMAL' },
        input: { payloads: [{ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'eyJydW4iOiJyMSJ9' }] },
        workflowTaskTimeout: '10s',
        attempt: 1,
      },
    },
    {
      eventId: '2',
      eventTime: '2026-01-01T00:00:00.2Z',
      eventType: 'EVENT_TYPE_WORKFLOW_TASK_SCHEDULED',
      taskId: '1048588',
      workflowTaskScheduledEventAttributes: { startToCloseTimeout: '10s', attempt: 1 },
    },
  ],
};

test('a recorded history is read: two majors of protobufjs would throw `type must be a Type`', () => {
  const { events } = historyFromJSON(recorded);
  expect(events).toHaveLength(2);
  const started = events![0]!.workflowExecutionStartedEventAttributes!;
  expect(started.workflowType?.name).toBe('quickstart');
  expect(Buffer.from(started.input!.payloads![0]!.data ?? '').toString()).toBe('{"run":"r1"}');
  expect(Number(events![0]!.eventTime!.seconds)).toBe(Date.UTC(2026, 0, 1) / 1000);
});

test('a history survives being written as JSON and read again', () => {
  const history = historyFromJSON(recorded);
  expect(historyFromJSON(JSON.parse(historyToJSON(history)))).toEqual(history);
});
