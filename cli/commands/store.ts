import { Command } from 'commander';
import type { CopyProgress, CopyReport } from '../../store/copy-store.js';
import { formatBytes } from '../../sdk/bytes.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { listenForInterrupt } from '../interrupt.js';
import type { Output } from '../output.js';
import { positiveInteger } from '../parse-options.js';
import { UsageError } from '../usage-error.js';

export const storeCommand = (): Command =>
  new Command('store')
    .summary('copy an artifact store to another place')
    .description('Works on artifact stores as a whole.')
    .addHelpText('after', examples([['millrace store copy file:.millrace/artifacts s3://team-ml/millrace']]))
    .addCommand(copyCommand());

type CopyFlags = { readonly verify?: boolean; readonly atOnce: number };

const copyCommand = (): Command =>
  new Command('copy')
    .summary('copy what one store holds and the other does not')
    .description(
      'Copies everything that FROM holds and TO does not, checked on the way. Ended at any moment and started again it copies only ' +
        'what is missing. The exit code is 1 where content of FROM is bad; it is named, and all else is copied.',
    )
    .argument('<from>', 'address of a store, as in MILLRACE_STORE: file:PATH, s3://BUCKET/PREFIX')
    .argument('<to>', 'address of another; made if it is not there')
    .option('--verify', 'read everything back at the end, also what was there before')
    .addHelpText(
      'after',
      examples([['millrace store copy file:.millrace/artifacts file:/mnt/artifacts --verify']]),
    )
    .option('--at-once <count>', 'blobs that are copied at once', positiveInteger, 8)
    .action(
      action<readonly [string, string], CopyFlags>(async ({ args, options, output }) => {
        const [{ openArtifactStore }, { copyStore }, { loadConfig }] = await Promise.all([
          import('../../store/open-artifact-store.js'),
          import('../../store/copy-store.js'),
          import('../../config/load-config.js'),
        ]);
        // Without the cache of this machine: what is copied is not needed here.
        const { s3, stateDir } = await loadConfig();
        const [from, to] = [
          await openArtifactStore(args[0], { s3 }),
          await openArtifactStore(args[1], { s3 }),
        ];
        if (from.location === to.location) throw new UsageError('Expected two stores, got one twice.');
        using interrupt = listenForInterrupt();
        const { signal } = interrupt;
        using progress = showProgress(output);
        const report = await copyStore({
          from,
          to,
          atOnce: options.atOnce,
          verify: options.verify === true,
          // Large content lies there on its way: the system's folder for temporary files may be small.
          scratch: stateDir,
          onProgress: progress.show,
          signal,
        }).catch((error: unknown) => {
          if (!signal.aborted) throw error;
          return undefined;
        });
        progress[Symbol.dispose]();
        if (!report) {
          output.note('Interrupted. Start it again: it goes on with what is missing.');
          return exitCodes.interrupted;
        }
        output.answer(report);
        if (!output.json) sayReport(report, output);
        return report.bad.length === 0 ? exitCodes.ok : exitCodes.failed;
      }),
    );

function sayReport({ copied, present, verified, bad }: CopyReport, output: Output): void {
  for (const { code, message } of bad) output.say(`${output.colors.red(code)} ${message}`);
  const amount = ({ blobs, bytes }: CopyReport['copied']) => `${blobs} blobs (${formatBytes(bytes)})`;
  output.say(
    [
      `copied ${amount(copied)}`,
      `${amount(present)} were there`,
      ...(verified.blobs > 0 ? [`verified ${amount(verified)}`] : []),
      ...(bad.length > 0 ? [`${bad.length} are bad`] : []),
    ].join(', '),
  );
}

const everyMs = 200;

/** One line that is written over, on a terminal only. */
function showProgress({
  terminal,
}: Output): Disposable & { readonly show: (progress: CopyProgress) => void } {
  let last = 0;
  let shown = false;
  return {
    show({ stage, blobs, bytes, ofBlobs, ofBytes }) {
      if (!terminal || Date.now() - last < everyMs) return;
      last = Date.now();
      shown = true;
      const of =
        ofBlobs > 0 ? ` of ${ofBlobs} blobs, ${formatBytes(bytes)} of ${formatBytes(ofBytes)}` : ' blobs';
      terminal.write(`\r\u001b[K${stage} ${blobs}${of}`);
    },
    [Symbol.dispose]() {
      if (shown) terminal?.write('\r\u001b[K');
      shown = false;
    },
  };
}
