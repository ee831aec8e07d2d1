export { createClient } from './create-client.js';
export type { ClientOptions } from './create-client.js';
export type { DryRun, LogLine, MillraceClient, RunHandle, StartOptions } from './client.js';
export type { RunView, StepView } from './views.js';
