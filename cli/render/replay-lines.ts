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
