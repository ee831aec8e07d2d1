import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ArtifactKind } from '../../sdk/artifact.js';
import { contract, contractEnv, contractVersion, stepEvent } from '../../sdk/step-contract.js';
import type { StepEvent } from '../../sdk/step-contract.js';
import type { ProgramEnd } from './run-program.js';
import { runProgram } from './run-program.js';

export const helperFolder = path.join(import.meta.dirname, '../../sdk/python');

export type StepLayout = {
  readonly folder: string;
  readonly values?: Readonly<Record<string, unknown>>;
  /** By field: kind, and what to copy to in/<field>. */
  readonly artifacts?: Readonly<Record<string, readonly [ArtifactKind, string]>>;
};

/** A step's folder by docs/step-contract.md, laid out by hand: these tests have no engine. */
export async function layOutStep({ folder, values = {}, artifacts = {} }: StepLayout): Promise<string> {
  const names = [contract.inputs, contract.outputs, contract.checkpoint, contract.secrets];
  await Promise.all(names.map((name) => mkdir(path.join(folder, name), { recursive: true })));
  const input: Record<string, unknown> = { ...values };
  for (const [name, [kind, from]] of Object.entries(artifacts)) {
    await cp(from, path.join(folder, contract.inputs, name), { recursive: true });
    input[name] = {
      $artifact: kind,
      digest: `sha256:${'0'.repeat(64)}`,
      type: 'file',
      size: 0,
      name,
      path: `in/${name}`,
    };
  }
  await writeFile(path.join(folder, contract.input), JSON.stringify(input));
  await writeFile(path.join(folder, contract.events), '');
  return folder;
}

export type StepEnd = ProgramEnd & {
  readonly output: Readonly<Record<string, unknown>> | undefined;
  readonly events: readonly StepEvent[];
};

/** What a program finds in its environment, in a folder that `layOutStep` made. */
export const stepEnvironment = (folder: string): Readonly<Record<string, string>> => ({
  [contractEnv.version]: String(contractVersion),
  [contractEnv.folder]: folder,
  [contractEnv.run]: 'run-1',
  [contractEnv.step]: 'train#2',
  [contractEnv.attempt]: '3',
  PYTHONPATH: helperFolder,
  PYTHONDONTWRITEBYTECODE: '1',
});

/** Runs a program in a folder that `layOutStep` made. @throws ZodError for a line of the events file that is no event */
export async function runAsStep(
  [program = '', ...args]: readonly string[],
  { folder, cwd = folder }: { readonly folder: string; readonly cwd?: string },
): Promise<StepEnd> {
  const end = await runProgram(program, args, {
    cwd,
    env: stepEnvironment(folder),
  });
  const text = await readFile(path.join(folder, contract.output), 'utf8').catch(() => undefined);
  const events = (await readFile(path.join(folder, contract.events), 'utf8')).split('\n').filter(Boolean);
  return {
    ...end,
    output: text === undefined ? undefined : (JSON.parse(text) as Record<string, unknown>),
    events: events.map((line) => stepEvent.parse(JSON.parse(line))),
  };
}
