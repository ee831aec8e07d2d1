import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What a program prints, or undefined when there is none of that name or it fails. */
export async function programOutput(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { timeout: 10_000 });
    return (stdout || stderr).trim();
  } catch {
    return undefined;
  }
}
