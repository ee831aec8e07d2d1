export { createDebugTools } from './create-debug-tools.js';
export type { DebugToolsOptions } from './create-debug-tools.js';
export type { CommandEnd, DebugTools, ShellEnd, TriedStep, TryOptions } from './debug-tools.js';
export type { Terminal } from '../activities/executors/terminal.js';
export type { ProgramLine } from './follow-lines.js';
export type { ProgramOutput, ProgramResult } from './run-program.js';
export type { StepChoice } from './recorded-step.js';
