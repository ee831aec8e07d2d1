import { Command } from 'commander';
import type { OutboxMessage, ReceiverState } from '../../store/outbox.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import type { Output } from '../output.js';
import { positiveInteger } from '../parse-options.js';
import { UsageError } from '../usage-error.js';
import { withCatalog } from '../with-catalog.js';

const receiverArgument = 'name of a receiver: openlineage, notify/hooks.example.org';

export const outboxCommand = (): Command => {
  const outbox = new Command('outbox')
    .summary('what waits to be sent to others, and what is stuck')
    .description(
      'Messages that workers send to others (notifications, OpenLineage), a line for each receiver, in order.\n' +
        'One that cannot be delivered holds its line up and is tried again by itself, at least once a minute.',
    )
    .addHelpText(
      'after',
      examples([
        ['millrace outbox ls'],
        [
          'millrace outbox retry openlineage',
          'the receiver is there again: do not wait for the next attempt',
        ],
        ['millrace outbox drop openlineage 17', 'give up one message that it will never take'],
      ]),
    );
  return outbox.addCommand(listCommand()).addCommand(retryCommand()).addCommand(dropCommand());
};

const listCommand = (): Command =>
  new Command('ls')
    .summary('list receivers, or what waits for one')
    .description('Lists the receivers with what waits for them; with a name, the messages of that receiver.')
    .argument('[receiver]', receiverArgument)
    .option('-n, --limit <count>', 'at most so many messages', positiveInteger, 100)
    .addHelpText('after', examples([['millrace outbox ls'], ['millrace outbox ls openlineage --json']]))
    .action(
      action<readonly [string | undefined], { readonly limit: number }>(
        async ({ args: [receiver], options, output }) =>
          withCatalog(async ({ outbox }) => {
            const receivers = await outbox.receivers();
            if (receiver === undefined) {
              output.answer({ receivers });
              if (receivers.length === 0)
                output.note('No receiver is configured: see docs/notifications.md.');
              else if (!output.json) await sayReceivers(receivers, output);
              return exitCodes.ok;
            }
            checkKnown(receiver, receivers);
            const messages = await outbox.list({ receiver, limit: options.limit });
            output.answer({ messages });
            if (messages.length === 0) output.note(`Nothing waits for ${receiver}.`);
            else if (!output.json) await sayMessages(messages, output);
            return exitCodes.ok;
          }),
      ),
    );

const retryCommand = (): Command =>
  new Command('retry')
    .summary('send what was put off now')
    .description('Has a worker send at once what could not be delivered before.')
    .argument('[receiver]', receiverArgument)
    .addHelpText('after', examples([['millrace outbox retry']]))
    .action(
      action<readonly [string | undefined]>(async ({ args: [receiver], output }) =>
        withCatalog(async ({ outbox }) => {
          if (receiver !== undefined) checkKnown(receiver, await outbox.receivers());
          const due = await outbox.retry(receiver);
          output.answer({ due });
          if (!output.json)
            output.say(due === 0 ? 'Nothing was put off.' : `${due} put off, due now: a worker sends it.`);
          return exitCodes.ok;
        }),
      ),
    );

type DropOptions = { readonly all?: boolean; readonly forget?: boolean };

const dropCommand = (): Command =>
  new Command('drop')
    .summary('give messages up')
    .description('Gives up a message, all that wait, or a receiver that is no more. They are lost.')
    .argument('<receiver>', receiverArgument)
    .argument('[position]', 'of a message, as `outbox ls RECEIVER` shows it', positiveInteger)
    .option('--all', 'everything that waits for the receiver')
    .option('--forget', 'everything, and append nothing for it until a worker is configured for it again')
    .addHelpText(
      'after',
      examples([['millrace outbox drop openlineage 17'], ['millrace outbox drop openlineage --forget']]),
    )
    .action(
      action<readonly [string, number | undefined], DropOptions>(
        async ({ args: [receiver, position], options: { all, forget }, output }) => {
          if ([position !== undefined, all === true, forget === true].filter(Boolean).length !== 1) {
            throw new UsageError('Say what to drop: one position, --all or --forget.', {
              hint: `\`millrace outbox ls ${receiver}\` shows what waits.`,
            });
          }
          return withCatalog(async ({ outbox }) => {
            checkKnown(receiver, await outbox.receivers());
            const dropped = await (forget === true
              ? outbox.forget(receiver)
              : outbox.drop(receiver, position));
            output.answer({ dropped });
            if (!output.json) output.say(`${dropped} dropped.`);
            return exitCodes.ok;
          });
        },
      ),
    );

function checkKnown(receiver: string, receivers: readonly ReceiverState[]): void {
  if (receivers.some((each) => each.receiver === receiver)) return;
  throw new UsageError(`There is no receiver \`${receiver}\`.`, {
    hint:
      receivers.length === 0
        ? 'None is configured: see docs/notifications.md.'
        : `There are: ${receivers.map((each) => each.receiver).join(', ')}.`,
  });
}

async function sayReceivers(receivers: readonly ReceiverState[], output: Output): Promise<void> {
  const { tableRows, sayRows, formatTime, plainLine } = await printing();
  const cells = receivers.map(({ receiver, waiting, head, holder }) => [
    { text: receiver, style: 'bold' as const },
    { text: String(waiting), style: head && head.attempts > 0 ? ('yellow' as const) : ('plain' as const) },
    { text: head ? formatTime(head.createdAt) : '', style: 'dim' as const },
    { text: head && head.attempts > 0 ? String(head.attempts) : '' },
    { text: head && head.attempts > 0 ? formatTime(head.nextAt) : '', style: 'dim' as const },
    { text: holder ?? '', style: 'dim' as const },
    { text: plainLine(head?.error ?? ''), style: 'red' as const },
  ]);
  const titles = ['RECEIVER', 'WAITING', 'SINCE', 'FAILED', 'NEXT', 'SENDER', 'LAST ERROR'];
  sayRows(tableRows(titles, cells), output);
}

async function sayMessages(messages: readonly OutboxMessage[], output: Output): Promise<void> {
  const { tableRows, sayRows, formatTime, plainLine } = await printing();
  const cells = messages.map(({ position, key, createdAt, attempts, error = '' }) => [
    { text: String(position), style: 'bold' as const },
    { text: plainLine(key) },
    { text: formatTime(createdAt), style: 'dim' as const },
    { text: attempts > 0 ? String(attempts) : '' },
    { text: plainLine(error), style: 'red' as const },
  ]);
  sayRows(tableRows(['POSITION', 'MESSAGE', 'SINCE', 'FAILED', 'LAST ERROR'], cells), output);
}

async function printing() {
  const [{ tableRows }, { sayRows }, { formatTime }, { plainLine }] = await Promise.all([
    import('../render/table.js'),
    import('../say-rows.js'),
    import('../render/format.js'),
    import('../render/text-width.js'),
  ]);
  return { tableRows, sayRows, formatTime, plainLine };
}
