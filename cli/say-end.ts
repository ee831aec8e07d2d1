import type { CommandEnd } from '../debug/debug-tools.js';
import type { ExitCode } from './exit-codes.js';
import { exitCodes } from './exit-codes.js';
import type { Output } from './output.js';
import { commandReport } from './render/tried-step.js';

/**
 * Says what a command that was tried ended with.
 * @param kept what stays in its folder; undefined: nothing does
 */
export function sayEnd(
  end: CommandEnd,
  { kept, output }: { readonly kept?: string | undefined; readonly output: Output },
): ExitCode {
  output.note(commandReport(end, output.colors));
  const { folder, problem, ...known } = end;
  if (kept !== undefined) output.note(`${kept} is kept: ${folder}`);
  output.answer({
    ...known,
    ...(problem !== undefined && { problem }),
    ...(kept !== undefined && { folder }),
  });
  return end.succeeded ? exitCodes.ok : exitCodes.failed;
}
