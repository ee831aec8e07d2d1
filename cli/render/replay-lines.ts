import type { CheckedRun, CheckReport } from '../../debug/replay/check-runs.js';
import type { RunReplay } from '../../debug/replay/replay-run.js';
import type { Colors } from '../output.js';
import { formatClock } from './format.js';
import { plainLine } from './text-width.js';

/** What came of one run's replay. */
export function replayLines(
  { run, pipeline, events, divergence }: RunReplay,
  colors: Colors,
): readonly string[] {
  if (!divergence) return [`${colors.green('replays')}  ${run}  ${pipeline}, ${events} events`];
  const { event, step, what, details } = divergence;
  const place = [
    ...(step === undefined ? [] : [`step ${step}`]),
    ...(event ? [`event ${event.id} ${event.type} of ${formatClock(event.at)}`] : []),
  ].join(', ');
  return [
    `${colors.red('breaks')}   ${run}  ${pipeline}`,
    `  ${plainLine(what)}`,
    ...(place === '' ? [] : [`  ${colors.dim(plainLine(place))}`]),
    ...(details === what ? [] : [`  ${colors.dim(`Temporal says: ${plainLine(details)}`)}`]),
  ];
}

/** What `check` found of a run. */
export function checkedLines(run: CheckedRun, colors: Colors): readonly string[] {
  const name = `${run.run}  ${run.pipeline}`;
  switch (run.verdict) {
    case 'same':
      return [`${colors.dim('same')}     ${name}, on this build already`];
    case 'stays':
      return [`${colors.yellow('stays')}    ${name}, ${run.events} events`, `  ${run.reason ?? ''}`];
    case 'moved':
      return [`${colors.green('moved')}    ${name}, ${run.events} events`];
    case 'clean':
      return replayLines(run, colors);
    case 'breaks':
      return [...replayLines(run, colors), ...(run.reason === undefined ? [] : [`  ${run.reason}`])];
  }
}

export function checkSummary({ build, runs }: CheckReport): string {
  if (runs.length === 0) return `No run is open: nothing holds build ${build} back.`;
  const words = (['moved', 'clean', 'breaks', 'stays', 'same'] as const).flatMap((verdict) => {
    const count = runs.filter((run) => run.verdict === verdict).length;
    return count === 0 ? [] : [`${count} ${summaryWords[verdict]}`];
  });
  return `Build ${build}, ${runs.length} open ${runs.length === 1 ? 'run' : 'runs'}: ${words.join(', ')}.`;
}

const summaryWords = {
  moved: 'moved to it',
  clean: 'would go on with it',
  breaks: 'would break on it and stay on theirs',
  stays: 'fit it and stay on theirs',
  same: 'on it already',
};
