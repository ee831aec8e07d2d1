import { Command } from 'commander';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import type { CheckStatus, Finding } from '../doctor/check.js';

export const doctorCommand = (): Command =>
  new Command('doctor')
    .summary('check what Millrace needs, and say what to do')
    .description(
      'Checks Node, the package, Python, Docker, Temporal, the catalog, the outbox, the artifact store, the disk, and that the project builds.\n' +
        'Exit code 1 when a check fails; warnings do not count.',
    )
    .addHelpText('after', examples([['millrace doctor'], ["millrace doctor --json | jq '.checks[].status'"]]))
    .action(
      action(async ({ output }) => {
        const { examine } = await import('../doctor/examine.js');
        const { colors } = output;
        const found: (Finding & { readonly name: string })[] = [];
        for await (const finding of examine()) {
          found.push(finding);
          const { status, name, says, todo } = finding;
          output.say(`${colors[styles[status]](status.padEnd(5))} ${colors.bold(name.padEnd(10))} ${says}`);
          if (todo !== undefined) output.say(`${' '.repeat(17)}${colors.cyan('→')} ${todo}`);
        }
        const good = found.every(({ status }) => status !== 'fail');
        output.answer({ ok: good, checks: found });
        return good ? exitCodes.ok : exitCodes.failed;
      }),
    );

const styles: Readonly<Record<CheckStatus, 'green' | 'yellow' | 'red'>> = {
  ok: 'green',
  warn: 'yellow',
  fail: 'red',
};
