import { stderr, stdout } from 'node:process';
import type { Output } from '../output.js';

export type Answer = { readonly decision: 'approved' | 'rejected'; readonly reason?: string };

/** Asks at the terminal. Undefined: the person wants to decide later. */
export async function askDecision(gate: string, { json }: Output): Promise<Answer | undefined> {
  const { isCancel, select, text } = await import('@clack/prompts');
  const output = json ? stderr : stdout;
  const choice = await select({
    message: `Decide on ${gate}:`,
    output,
    options: [
      { value: 'approved', label: 'Approve', hint: 'the model becomes champion' },
      { value: 'rejected', label: 'Reject', hint: 'the run fails, the champion stays' },
      { value: 'later', label: 'Later', hint: 'the run goes on waiting' },
    ] as const,
  });
  if (isCancel(choice) || choice === 'later') return undefined;
  if (choice === 'approved') return { decision: choice };
  const reason = await text({
    message: 'Why?',
    output,
    validate: (value) => (value?.trim() ? undefined : 'A rejection needs a reason.'),
  });
  return isCancel(reason) ? undefined : { decision: choice, reason };
}
