import path from 'node:path';
import { watch } from 'chokidar';
import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load-config.js';
import { isMillraceError } from '../sdk/errors.js';
import type { BuildRecord } from '../store/catalog.js';
import type { WorkerHost } from '../workers/worker-host.js';
import { startWorkerHost } from '../workers/worker-host.js';
import { errorReport, formatErrorReport } from './error-report.js';
import { aborted, listenForInterrupt } from './interrupt.js';
import type { Output } from './output.js';
import { formatClock, formatDuration } from './render/format.js';
import { fileLogger } from './worker-logger.js';
import { openService } from './worker-session.js';

/** Serves a project until it is interrupted: a build that fails is shown, and the last good one goes on. */
export async function serveDev(output: Output): Promise<void> {
  const config = await loadConfig();
  const news = devNews(output, config);
  using interrupt = listenForInterrupt({ onFirst: news.draining, onForce: news.forced });
  const { signal } = interrupt;
  const { logger, file } = await fileLogger(config, { echo: !output.json });
  await using service = await openService({ config, ui: true, onProgress: news.progress, signal });
  news.service(service.address, service.uiUrl);
  const host = await startOnGoodBuild({
    config,
    signal,
    news,
    start: () =>
      startWorkerHost({ config, logger, address: service.address, build: 'watch', onBuild: news.build }),
  });
  if (!host) return;
  await using running = host;
  news.ready(file);
  await Promise.race([aborted(signal), running.stopped]);
}

type Start = {
  readonly config: Config;
  readonly signal: AbortSignal;
  readonly news: DevNews;
  readonly start: () => Promise<WorkerHost>;
};

/** Tries again at each change for as long as the project does not build. Undefined when it was interrupted before. */
async function startOnGoodBuild({ config, signal, news, start }: Start): Promise<WorkerHost | undefined> {
  while (!signal.aborted) {
    await using change = nextChange(config.projectDir);
    try {
      return await start();
    } catch (error) {
      if (!isProjectError(error)) throw error;
      news.build({ error });
      news.progress('Waiting for a change.');
    }
    await Promise.race([change.happened, aborted(signal)]);
  }
  return undefined;
}

const projectErrors: ReadonlySet<string> = new Set([
  'BUILD_FAILED', 'DEFINITION_INVALID', 'DUPLICATE_NAME', 'STEP_OUTSIDE_STEPS_FILE', 'PIPELINE_USES_NODE', 'UNSAFE_OUTPUT',
]); // prettier-ignore
const isProjectError = (error: unknown): boolean => isMillraceError(error) && projectErrors.has(error.code);

/** A change that may mend the project: of its code, or a folder that a step names and that was missing. */
function nextChange(projectDir: string): AsyncDisposable & { readonly happened: Promise<void> } {
  const watcher = watch(projectDir, {
    ignoreInitial: true,
    ignored: (file) =>
      /(^|[\\/])(node_modules|\.[^\\/]+|dist)([\\/]|$)/.test(path.relative(projectDir, file)),
  });
  const happened = new Promise<void>((resolve) => {
    watcher.on('all', (event, file) => {
      if (event === 'addDir' || /\.([cm]?[jt]sx?|json)$/.test(file)) resolve();
    });
  });
  return { happened, [Symbol.asyncDispose]: () => watcher.close() };
}

type DevNews = ReturnType<typeof devNews>;

/** What `dev` says; with --json an object a line. */
function devNews(output: Output, config: Config) {
  const { colors } = output;
  const say = (text: string, value: { readonly event: string } & Record<string, unknown>) => {
    if (output.json) output.answer({ at: new Date().toISOString(), ...value });
    else output.say(`${colors.dim(formatClock(new Date().toISOString()))} ${text}`);
  };
  return {
    progress: (sentence: string) => say(sentence, { event: 'progress', text: sentence }),
    service: (address: string, console: string | undefined) =>
      say(`Temporal service at ${address}${console === undefined ? '' : `, console at ${console}`}`, {
        event: 'service',
        address,
        console,
      }),
    build(result: { readonly build: BuildRecord } | { readonly error: unknown }) {
      if ('error' in result) {
        const report = errorReport(result.error);
        say(formatErrorReport(report, colors), { event: 'build-failed', error: report });
        return;
      }
      const { id, pipelines } = result.build;
      const named = pipelines.map(
        ({ name, steps }) => `${colors.bold(name)} (${steps.join(', ') || 'no steps'})`,
      );
      say(`${colors.green('build')} ${id}: ${named.join(', ')}`, { event: 'build', build: id, pipelines });
    },
    ready: (log: string) =>
      say(
        `Watching ${config.projectDir}; the worker's log is ${path.relative(process.cwd(), log) || log}. ` +
          'Start a run in another terminal: millrace run PIPELINE --watch',
        { event: 'ready', watching: config.projectDir, log },
      ),
    draining: () =>
      say(
        `Stopping: steps get ${formatDuration(config.worker.shutdownGraceMs)} to end. Ctrl-C again ends at once.`,
        {
          event: 'draining',
        },
      ),
    forced: () => say('Ended at once: open steps get a new attempt at the next start.', { event: 'forced' }),
  };
}
