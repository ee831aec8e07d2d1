import path from 'node:path';
import { watch } from 'chokidar';
import { pipelineFile, stepsFile } from './project-files.js';

const settleMs = 120;

/**
 * Calls `rebuild` after changes of the watched files and folders, and when pipeline or steps files come or go. Changes
 * during a rebuild cause one more. `rebuild` answers with the paths to watch from then on, or undefined to keep them.
 */
export function watchProject(
  projectDir: string,
  watched: readonly string[],
  rebuild: () => Promise<readonly string[] | undefined>,
): AsyncDisposable {
  let files = new Set(watched);
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<void> | undefined;
  let again = false;
  const watcher = watch(projectDir, {
    ignoreInitial: true,
    ignored: (file) =>
      /(^|[\\/])(node_modules|\.[^\\/]+|dist|coverage)([\\/]|$)/.test(path.relative(projectDir, file)),
  });
  const isOurs = (file: string) =>
    pipelineFile.test(file) ||
    stepsFile.test(file) ||
    [...files].some((each) => file === each || file.startsWith(each + path.sep));

  async function run(): Promise<void> {
    const paths = await rebuild();
    if (paths) files = new Set(paths);
    current = undefined;
    if (again) {
      again = false;
      start();
    }
  }
  function start(): void {
    if (current) again = true;
    else current = run();
  }
  // What changed between the first build and the first look would else be missed.
  watcher.once('ready', () => start());
  watcher.on('all', (_, file) => {
    if (!isOurs(path.resolve(projectDir, file))) return;
    clearTimeout(timer);
    timer = setTimeout(start, settleMs);
  });
  return {
    async [Symbol.asyncDispose]() {
      clearTimeout(timer);
      again = false;
      await watcher.close();
      await current;
    },
  };
}
