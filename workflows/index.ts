// The door that generated bundle entries use; see workers/build.
export { dryRun, pipelineWorkflow } from './pipeline-workflow.js';
export { stepProxy } from './step-proxy.js';
