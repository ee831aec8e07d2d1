// Exit code 0 while a worker of this machine asks the Temporal service for steps; else 1 and one line saying why.
import { hostname } from 'node:os';
import { Connection } from '@temporalio/client';

const {
  TEMPORAL_ADDRESS,
  TEMPORAL_NAMESPACE = 'default',
  TEMPORAL_API_KEY,
  TEMPORAL_TLS,
  MILLRACE_QUEUE = 'millrace',
} = process.env;
const activityQueue = 2;
const freshMs = 3 * 60_000;

try {
  console.log(await health());
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

async function health() {
  if (!TEMPORAL_ADDRESS)
    throw new Error('TEMPORAL_ADDRESS is not set: a worker in a container needs a service to serve');
  const connection = await Connection.connect({
    address: TEMPORAL_ADDRESS,
    connectTimeout: '5s',
    tls: TEMPORAL_TLS === undefined ? TEMPORAL_API_KEY !== undefined : /^(1|true)$/.test(TEMPORAL_TLS),
    ...(TEMPORAL_API_KEY && { apiKey: TEMPORAL_API_KEY }),
  });
  try {
    const name = `${MILLRACE_QUEUE}/steps`;
    const { pollers } = await connection.withDeadline(Date.now() + 5000, () =>
      connection.workflowService.describeTaskQueue({
        namespace: TEMPORAL_NAMESPACE,
        taskQueue: { name },
        taskQueueType: activityQueue,
      }),
    );
    // A worker calls itself <pid>@<host>; the service remembers it for five minutes after it was last heard of.
    const own = pollers.filter(({ identity }) => identity.endsWith(`@${hostname()}`));
    const latest = Math.max(0, ...own.map(({ lastAccessTime }) => Number(lastAccessTime.seconds) * 1000));
    if (Date.now() - latest > freshMs)
      throw new Error(`no worker of ${hostname()} has asked ${TEMPORAL_ADDRESS} for steps on ${name} lately`);
    return `a worker of ${hostname()} serves ${name}`;
  } finally {
    await connection.close();
  }
}
