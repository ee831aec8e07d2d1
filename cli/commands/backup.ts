import path from 'node:path';
import { Command } from 'commander';
import type { Config } from '../../config/config.js';
import type { ArtifactStore } from '../../store/artifact-store.js';
import type { BackupProgress } from '../../store/backup/write-backup.js';
import type { CatalogDatabase } from '../../store/open-catalog-database.js';
import { action, examples } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { listenForInterrupt } from '../interrupt.js';
import type { Output } from '../output.js';
import { formatBytes } from '../../sdk/bytes.js';

export const backupCommand = (): Command =>
  new Command('backup')
    .summary('save the catalog and all content it reaches')
    .description(
      'Saves the catalog as it stands and then all content it reaches, while workers go on. Called again with the same folder it\n' +
        'copies only what is new; interrupted, it goes on where it was. Exit code 1 where the store lacked something.',
    )
    .argument('<folder>', 'where to: a new folder, or that of an older backup')
    .addHelpText('after', examples([['millrace backup /mnt/backup/millrace']]))
    .action(
      action<readonly [string]>(async ({ args: [folder], output }) => {
        using interrupt = listenForInterrupt();
        const { writeBackup } = await import('../../store/backup/write-backup.js');
        const done = await withState(({ db }, store) =>
          writeBackup({
            db,
            store,
            folder: path.resolve(folder),
            signal: interrupt.signal,
            onProgress: progress(output),
          }),
        );
        const { at, content, copied, lacking, tables } = done;
        const rows = Object.values(tables).reduce((sum, table) => sum + table.rows, 0);
        output.answer({ folder, at, rows, blobs: content.rows, bytes: content.bytes, copied, lacking });
        output.say(
          `Saved ${rows} rows and ${content.rows} blobs (${formatBytes(content.bytes)}, ${copied} of them new).`,
        );
        return sayLacking(lacking, output, 'The store lacked, or had damaged');
      }),
    );

export const restoreCommand = (): Command =>
  new Command('restore')
    .summary('put a backup into an empty catalog and the store')
    .description(
      'Checks a backup, puts its content into the store and then its rows into the catalog, which must be empty: all or none.\n' +
        'Start workers afterwards. Interrupted, it goes on where it was when it is called again.',
    )
    .argument('<folder>', 'a folder that `millrace backup` has written')
    .option('--partial', 'restore what is whole of a damaged backup')
    .addHelpText(
      'after',
      examples([
        ['millrace restore /mnt/backup/millrace'],
        [
          'MILLRACE_CATALOG=postgres://millrace@db/millrace millrace restore ./backup',
          'from any kind of catalog into any other',
        ],
      ]),
    )
    .action(
      action<readonly [string], { readonly partial?: boolean }>(
        async ({ args: [folder], options, output }) => {
          using interrupt = listenForInterrupt();
          const { restoreBackup } = await import('../../store/backup/restore-backup.js');
          const done = await withState((database, store) =>
            restoreBackup({
              ...database,
              store,
              folder: path.resolve(folder),
              partial: options.partial === true,
              signal: interrupt.signal,
              onProgress: progress(output),
            }),
          );
          output.answer({ folder, ...done });
          output.say(
            `Restored ${done.rows} rows and ${done.blobs} blobs (${done.copied} were not there), as of ${done.at}.`,
          );
          return sayLacking([...done.damaged, ...done.lacking], output, 'The backup lacks, or has damaged');
        },
      ),
    );

/** Opens catalog and store of the current project's configuration, and closes them after. */
async function withState<T>(
  use: (database: CatalogDatabase, store: ArtifactStore) => Promise<T>,
): Promise<T> {
  const { loadConfig } = await import('../../config/load-config.js');
  const { openCatalogDatabase } = await import('../../store/open-catalog-database.js');
  const config: Config = await loadConfig();
  const database = await openCatalogDatabase(config.catalog);
  try {
    return await use(database, await openStore(config));
  } finally {
    await database.db.destroy();
  }
}

async function openStore(config: Config): Promise<ArtifactStore> {
  const { openArtifactStore } = await import('../../store/open-artifact-store.js');
  return openArtifactStore(config.store, config);
}

const everyMs = 2_000;

/** A line every other second. */
function progress(output: Output): (progress: BackupProgress) => void {
  let last = Date.now();
  return ({ done, of }) => {
    if (Date.now() - last < everyMs) return;
    last = Date.now();
    output.note(`${done} of ${of} blobs`);
  };
}

function sayLacking(digests: readonly string[], output: Output, what: string) {
  if (digests.length === 0) return exitCodes.ok;
  output.note(
    [
      `${what}:`,
      ...digests.slice(0, 10),
      ...(digests.length > 10 ? [`and ${digests.length - 10} more`] : []),
    ].join('\n  '),
  );
  return exitCodes.failed;
}
