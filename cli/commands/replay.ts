import { Command, InvalidArgumentError } from 'commander';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { withDebugTools } from '../open-debug-tools.js';
import { replayLines } from '../render/replay-lines.js';
import { runArgument } from './show.js';

type ReplayFlags = { readonly inspect?: { readonly host: string; readonly port: number } | true };

export const replayCommand = (): Command =>
  new Command('replay')
    .summary("replay a run's history on the project as it is now")
    .description(
      'Runs the pipeline of a run, and of its child runs, again over what is recorded of it, on the code of the project as it is\n' +
        'now: nothing is executed. Says where code and history part. Needs the Temporal service.',
    )
    .argument('<run>', runArgument)
    .option('--inspect [host:port]', 'wait for a debugger first; default 127.0.0.1:9229', inspectorPlace)
    .addHelpText(
      'after',
      examples([
        ['millrace replay last'],
        ['millrace replay last --inspect', 'then attach with chrome://inspect, VS Code or `node inspect`'],
      ]),
    )
    .action(
      action<readonly [string], ReplayFlags>(async ({ args: [text], options: { inspect }, output }) => {
        const { quietTemporal } = await import('../quiet-temporal.js');
        quietTemporal();
        const report = await withDebugTools(text, (tools, run) =>
          tools.replay(run, {
            ...(inspect && { inspect: inspect === true ? inspectorPlace('') : inspect }),
            onInspect: (url) => output.note(howToAttach(url)),
          }),
        );
        for (const replay of report.runs) replayLines(replay, output.colors).forEach(output.say);
        output.answer(report);
        return report.ok ? exitCodes.ok : exitCodes.failed;
      }),
    );

function inspectorPlace(text: string): { readonly host: string; readonly port: number } {
  const [, host = '127.0.0.1', port = '9229'] = /^(?:(.+):)?(\d+)?$/.exec(text) ?? [];
  if (text !== '' && !/^(?:.+:)?\d+$/.test(text)) throw new InvalidArgumentError('Expected host:port.');
  return { host, port: Number(port) };
}

const howToAttach = (url: string): string =>
  [
    `Waits for a debugger at ${url}`,
    '  Chrome    chrome://inspect, then Configure, then inspect',
    '  VS Code   "Attach to Node.js/TypeScript Process", or a launch of type node, request attach, with this port',
    `  terminal  node inspect ${/^ws:\/\/([^/]+)/.exec(url)?.[1] ?? ''}`,
    'It stops before the replay: set breakpoints in your *.pipeline.ts files then.',
  ].join('\n');
