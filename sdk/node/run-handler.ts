import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { isArtifactRef, mapArtifacts } from '../artifact.js';
import { DefinitionInvalid } from '../errors.js';
import { contract, inputPath } from '../step-contract.js';
import type { StepEvent } from '../step-contract.js';
import type { StepContext, StepLog } from '../step-handler.js';
import type { StepDefinition } from '../step.js';
import { lastCheckpoint, writeCheckpoint } from './whole-checkpoint.js';

export type HandlerRun = {
  readonly run: string;
  readonly step: string;
  readonly attempt: number;
  /** The step's folder of docs/step-contract.md; called for only when something in it is needed. */
  readonly folder: () => string;
  /** Value of a declared secret. */
  readonly secret: (name: string) => string;
  readonly emit: (event: StepEvent) => void;
  readonly signal: AbortSignal;
};

/**
 * Calls a function step with its input as files and values.
 * @param input as validated, with artifact references
 * @returns the handler's value fields; artifact outputs lie in out/, or at the returned path, given in `moved`
 */
export async function runHandler(
  definition: StepDefinition,
  input: unknown,
  run: HandlerRun,
): Promise<{ readonly values: Record<string, unknown>; readonly moved: Readonly<Record<string, string>> }> {
  if (!definition.handler)
    throw new DefinitionInvalid(`Step \`${definition.spec.name}\` is a command, not a function.`);
  const local = mapArtifacts(input, (ref, keys) => ({
    ...ref,
    path: path.join(run.folder(), inputPath(keys)),
  }));
  const returned: unknown = (await definition.handler(local as never, contextOf(definition, run))) ?? {};
  const values: Record<string, unknown> = { ...(returned as object) };
  const moved: Record<string, string> = {};
  for (const { name } of definition.spec.artifacts) {
    const value = values[name];
    delete values[name];
    // A path the handler chose itself; a reference it was given stays one.
    if (typeof value === 'string') moved[name] = path.resolve(run.folder(), value);
    else if (isArtifactRef(value)) values[name] = value;
  }
  return { values, moved };
}

function contextOf(
  definition: StepDefinition,
  { run, step, attempt, folder, secret: secretValue, emit, signal }: HandlerRun,
): StepContext {
  const at = () => new Date().toISOString();
  const message = (level: keyof StepLog) => (text: string, fields?: object) =>
    emit({ type: 'message', level, text, at: at(), ...(fields && { fields: { ...fields } }) });
  const inFolder = (name: string): string => {
    const full = path.join(folder(), name);
    mkdirSync(full, { recursive: true });
    return full;
  };
  const out: Record<string, string> = {};
  for (const { name } of definition.spec.artifacts) {
    Object.defineProperty(out, name, {
      enumerable: true,
      get: () => path.join(inFolder(contract.outputs), name),
    });
  }
  return {
    run,
    step,
    attempt,
    out,
    get checkpoint() {
      return inFolder(contract.checkpoint);
    },
    get lastCheckpoint() {
      return lastCheckpoint(inFolder(contract.checkpoint));
    },
    writeCheckpoint: (write) => writeCheckpoint(inFolder(contract.checkpoint), attempt, write),
    log: { debug: message('debug'), info: message('info'), warn: message('warn'), error: message('error') },
    signal,
    metric: (name, value, index) =>
      emit({ type: 'metric', name, value, at: at(), ...(index !== undefined && { index }) }),
    progress: (fraction, text) =>
      emit({ type: 'progress', fraction, at: at(), ...(text !== undefined && { message: text }) }),
    secret(name) {
      if (!definition.spec.secrets.some((use) => use.name === name)) {
        throw new DefinitionInvalid(
          `Step \`${definition.spec.name}\` does not declare the secret \`${name}\`.`,
          { hint: `Add it to \`secrets\` of the step.` },
        );
      }
      return secretValue(name);
    },
  };
}
