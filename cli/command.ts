import type { Command } from 'commander';
import type { ExitCode } from './exit-codes.js';
import type { Output } from './output.js';
import { createOutput } from './output.js';

/** Options every command has. */
export type GlobalOptions = { readonly json?: boolean; readonly color: boolean; readonly cwd?: string };

export type Call<A extends readonly unknown[], O> = {
  readonly args: A;
  readonly options: Readonly<O>;
  readonly output: Output;
};

/** Turns a command's body into what commander calls: it gets arguments, options and output, and answers with the exit code. */
export const action =
  <A extends readonly unknown[] = readonly [], O = object>(body: (call: Call<A, O>) => Promise<ExitCode>) =>
  async (...received: readonly unknown[]): Promise<void> => {
    const command = received.at(-1) as Command;
    const options = command.optsWithGlobals<O & GlobalOptions>();
    process.exitCode = await body({
      args: command.processedArgs as unknown as A,
      options,
      output: createOutput({ json: options.json === true, color: options.color }),
    });
  };

/** Examples at the end of a command's help. */
export const examples = (lines: readonly (readonly [command: string, says?: string])[]): string =>
  [
    '\nExamples:',
    ...lines.map(([command, says]) => `  $ ${command}${says === undefined ? '' : `\n      ${says}`}`),
  ].join('\n');
