export { startWorkerHost } from './worker-host.js';
export type { WorkerHost, WorkerHostOptions } from './worker-host.js';
