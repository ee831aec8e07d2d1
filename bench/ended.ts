import { spawn } from 'node:child_process';
import { once } from 'node:events';

export type ProgramPlace = { readonly cwd: string; readonly env?: NodeJS.ProcessEnv };

/** Runs a program to its end and gives its stdout. @throws when it ends with anything but 0 */
export async function ended(
  command: string,
  args: readonly string[],
  { cwd, env = process.env }: ProgramPlace,
): Promise<string> {
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
  return stdout;
}
