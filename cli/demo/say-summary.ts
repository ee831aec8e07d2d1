import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Output } from '../output.js';
import { formatDuration, formatNumber } from '../render/format.js';
import type { DemoSummary } from './demo-summary.js';

/** Says how a demo ended, where everything of it lies and what can be done next. */
export function saySummary(summary: DemoSummary, { colors, say }: Output): void {
  const { run, status, model, metrics, places, times } = summary;
  const fact = (name: string, value: string) => say(`  ${colors.dim(name.padEnd(10))}${value}`);
  say('');
  if (model) {
    const alias = model.alias === null ? 'registered, not promoted' : `is the ${model.alias}`;
    fact('model', `${colors.bold(`${model.name} version ${model.version}`)} ${alias}`);
  }
  if (Object.keys(metrics).length > 0)
    fact('metrics', Object.entries(metrics).map(([name, value]) => `${name}=${formatNumber(value)}`).join(' ')); // prettier-ignore
  for (const [name, file] of Object.entries(places.reports)) fact(name, link(file));
  fact('state', places.state);
  fact('artifacts', places.artifacts);
  fact('logs', `${places.logs}, worker: ${path.basename(places.workerLog)}`);
  fact(
    'time',
    `${formatDuration(times.totalMs)}: ${formatDuration(times.stepsMs)} in steps, ` +
      `${formatDuration(times.decisionMs)} for the decision, ${formatDuration(times.ownMs)} beyond`,
  );
  say('');
  if (status === 'running') {
    say(summary.decision?.status === 'open' ? `${run} waits for a decision. Answer it:` : `${run} has not ended. Go on with it:`); // prettier-ignore
    say(`  millrace demo --resume ${run} --yes`);
    say(`  millrace demo --resume ${run} --reject`);
  } else {
    say(`Look again: millrace show ${run}   millrace logs ${run} train   millrace models mortgage`);
  }
}

const link = (file: string): string => (path.extname(file) === '.html' ? pathToFileURL(file).href : file);
