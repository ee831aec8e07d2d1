import { Command } from 'commander';
import type { HostRecord } from '../../store/hosts.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import type { Output } from '../output.js';
import { UsageError } from '../usage-error.js';
import { withCatalog } from '../with-catalog.js';

/** Workers say every 5 s that their host lives. */
const silentMs = 15_000;

export const hostsCommand = (): Command =>
  new Command('hosts')
    .summary('which hosts run steps, and that one is gone')
    .description(
      'Machines that run steps: one state directory with its Docker engine each, whatever number of workers it has.\n' +
        'A step whose worker is lost waits a while for its own host, which may have its container still.',
    )
    .addHelpText(
      'after',
      examples([
        ['millrace hosts ls'],
        ['millrace hosts gone gpu-3', 'it burnt down: other hosts go on with its steps at once'],
      ]),
    )
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(goneCommand());

const listCommand = (): Command =>
  new Command('ls')
    .summary('list the hosts of the queue')
    .description('Lists the hosts of the queue, the one seen last first.')
    .addHelpText('after', examples([['millrace hosts ls'], ['millrace hosts ls --json']]))
    .action(
      action(async ({ output }) =>
        withCatalog(async ({ hosts }, { queue }) => {
          const known = await hosts.list(queue);
          output.answer({ hosts: known.map((host) => ({ ...host, state: stateOf(host) })) });
          if (known.length === 0) output.note('No worker has served this queue yet.');
          else if (!output.json) await sayHosts(known, output);
          return exitCodes.ok;
        }),
      ),
    );

const goneCommand = (): Command =>
  new Command('gone')
    .summary('say that a host is gone for good')
    .description(
      'Has steps that were on a host that died go on elsewhere at once, from their checkpoints, instead of waiting for it.\n' +
        'Should it come back nevertheless, it is a host again, and removes the containers that others go on for.',
    )
    .argument('<host>', 'its id, the beginning of one, or its name')
    .addHelpText('after', examples([['millrace hosts gone gpu-3'], ['millrace hosts gone 4f1c']]))
    .action(
      action<readonly [string]>(async ({ args: [named], output }) =>
        withCatalog(async ({ hosts }, { queue }) => {
          const host = hostOf(named, await hosts.list(queue));
          if (!(await hosts.giveUp(host.id, new Date(Date.now() - silentMs).toISOString())))
            throw new UsageError(
              `Host \`${host.name}\` (${host.id}) lives: a worker of it was seen just now.`,
              {
                hint: `Stop its workers first, or wait ${silentMs / 1000} s after its death. A worker that stops hands its containers over by itself.`,
              },
            );
          output.answer({ host: { ...host, gone: true, state: 'gone' } });
          if (!output.json) output.say(`${host.name} (${host.id}) is gone: nobody waits for it any more.`);
          return exitCodes.ok;
        }),
      ),
    );

type HostState = 'live' | 'silent' | 'gone';

const stateOf = ({ gone, seenAt }: HostRecord): HostState =>
  gone ? 'gone' : Date.now() - Date.parse(seenAt) > silentMs ? 'silent' : 'live';

function hostOf(named: string, hosts: readonly HostRecord[]): HostRecord {
  const exact = hosts.filter(({ id, name }) => id === named || name === named);
  const found = exact.length > 0 ? exact : hosts.filter(({ id }) => id.startsWith(named));
  const [host, ...others] = found;
  if (!host)
    throw new UsageError(`There is no host \`${named}\`.`, { hint: '`millrace hosts ls` lists them.' });
  if (others.length > 0)
    throw new UsageError(`\`${named}\` fits ${found.length} hosts.`, {
      hint: `Give the id of one: ${found.map(({ id }) => id).join(', ')}.`,
    });
  return host;
}

async function sayHosts(hosts: readonly HostRecord[], output: Output): Promise<void> {
  const [{ tableRows }, { sayRows }, { formatTime }, { plainLine }] = await Promise.all([
    import('../render/table.js'),
    import('../say-rows.js'),
    import('../render/format.js'),
    import('../render/text-width.js'),
  ]);
  const cells = hosts.map((host) => [
    { text: plainLine(host.name), style: 'bold' as const },
    { text: host.id },
    { text: stateOf(host), style: styles[stateOf(host)] },
    { text: formatTime(host.seenAt), style: 'dim' as const },
  ]);
  sayRows(tableRows(['HOST', 'ID', 'STATE', 'SEEN'], cells), output);
}

const styles = { live: 'plain', silent: 'yellow', gone: 'dim' } as const;
