import { Command } from 'commander';
import { cacheCommand } from './commands/cache.js';
import { backupCommand, restoreCommand } from './commands/backup.js';
import { artifactsCommand } from './commands/artifacts.js';
import { cancelCommand } from './commands/cancel.js';
import { approveCommand, rejectCommand } from './commands/decide.js';
import { demoCommand } from './commands/demo.js';
import { checkCommand } from './commands/check.js';
import { debugCommand } from './commands/debug.js';
import { devCommand } from './commands/dev.js';
import { doctorCommand } from './commands/doctor.js';
import { gcCommand } from './commands/gc.js';
import { hostsCommand } from './commands/hosts.js';
import { lineageCommand } from './commands/lineage.js';
import { logsCommand } from './commands/logs.js';
import { modelsCommand } from './commands/models.js';
import { recoverCommand } from './commands/recover.js';
import { outboxCommand } from './commands/outbox.js';
import { pauseCommand, resumeCommand } from './commands/pause.js';
import { repairCommand } from './commands/repair.js';
import { replayCommand } from './commands/replay.js';
import { runCommand } from './commands/run.js';
import { runsCommand } from './commands/runs.js';
import { showCommand } from './commands/show.js';
import { stepCommand } from './commands/step.js';
import { storeCommand } from './commands/store.js';
import { whyCommand } from './commands/why.js';
import { workerCommand } from './commands/worker.js';
import type { GlobalOptions } from './command.js';
import { examples } from './command.js';
import { UsageError } from './usage-error.js';

const exitCodeHelp = `
Exit codes:
  0    done; of a run that was waited for: completed
  1    the run failed, or something broke
  2    the command line, the input, the configuration or the project's code is wrong
  3    the Temporal service, the Docker engine or a worker is not there
  4    a person has to decide first
  5    the run was cancelled
  130  interrupted`;

/** The whole command line. Each command imports what it works with only when it is called. */
export function createProgram(version: string): Command {
  const program = new Command('millrace')
    .description('Durable ML pipelines on Temporal and Docker.')
    .version(version, '-V, --version', 'print the version')
    .option('--cwd <dir>', 'work as if started in this folder')
    .option('--json', 'print JSON on stdout; everything else goes to stderr')
    .option('--no-color', 'print without colours, as NO_COLOR=1 does')
    .helpOption('-h, --help', 'print help')
    .addHelpText(
      'after',
      `${examples([
        ['millrace demo'],
        ['millrace dev'],
        ['millrace run mortgage --input csv=@./hmda.csv --watch'],
      ])}\n${exitCodeHelp}`,
    )
    .hook('preAction', (command) => enter(command.opts<GlobalOptions>().cwd));
  const commands = [
    demoCommand(), devCommand(), workerCommand(),
    runCommand(), runsCommand(), showCommand(), logsCommand(),
    whyCommand(), approveCommand(), rejectCommand(), cancelCommand(), pauseCommand(), resumeCommand(), repairCommand(), recoverCommand(),
    debugCommand(), stepCommand(), replayCommand(), checkCommand(),
    modelsCommand(), artifactsCommand(), storeCommand(), cacheCommand(), gcCommand(), backupCommand(), restoreCommand(), outboxCommand(), hostsCommand(), lineageCommand(), doctorCommand(),
  ]; // prettier-ignore
  for (const command of commands) program.addCommand(command);
  for (const command of [program, ...commands.flatMap((each) => [each, ...each.commands])])
    command
      .exitOverride()
      // What is wrong with a command line is printed where all errors are.
      .configureOutput({ outputError: () => undefined })
      .configureHelp({ showGlobalOptions: true });
  return program;
}

function enter(folder: string | undefined): void {
  if (folder === undefined) return;
  try {
    process.chdir(folder);
  } catch (cause) {
    throw new UsageError(`--cwd names a folder that cannot be entered: ${folder}.`, { cause });
  }
}
