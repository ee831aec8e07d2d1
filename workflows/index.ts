// The door that generated bundle entries use; see workers/build.
export { pipelineWorkflow } from './pipeline-workflow.js';
export { stepProxy } from './step-proxy.js';
