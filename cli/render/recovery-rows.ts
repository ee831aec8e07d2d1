import type { PlannedStep, RecoveryPlan } from '../../client/recover/recovery-plan.js';
import { planSummary } from '../../client/recover/recovery-plan.js';
import type { Row, Style } from './styled-row.js';
import { plainLine } from './text-width.js';

/** So many reused steps are shown a line each; of more only how many they are. */
const mostReused = 20;

/** A recovery's plan: a line a step, what is not certain, and the sum. */
export function recoveryRows(plan: RecoveryPlan): readonly Row[] {
  const { run, build, steps, dropped, notes } = plan;
  const reused = steps.filter(({ action }) => action === 'reuse');
  const shown = reused.length > mostReused ? steps.filter(({ action }) => action !== 'reuse') : steps;
  const width = Math.max(0, ...shown.map(({ path }) => path.length));
  return [
    [{ text: 'Recovers ' }, { text: run, style: 'bold' }, { text: ` on build ${build}` }],
    ...(reused.length > mostReused
      ? [[{ text: '  reuse    ', style: 'green' as const }, { text: `${reused.length} steps` }]]
      : []),
    ...shown.map((step) => stepRow(step, width)),
    ...dropped.map((path): Row => [
      { text: '  dropped  ', style: 'dim' },
      { text: plainLine(path) },
      { text: '  the pipeline does not call it any more', style: 'dim' },
    ]),
    ...notes.map((note): Row => [{ text: `  ${plainLine(note)}`, style: 'yellow' }]),
    [{ text: planSummary(plan), style: 'bold' }],
  ];
}

const styles: Readonly<Record<PlannedStep['action'], Style>> = {
  reuse: 'green',
  run: 'cyan',
  depends: 'yellow',
};

const stepRow = ({ path, action, why }: PlannedStep, width: number): Row => [
  { text: `  ${action.padEnd(7)}  `, style: styles[action] },
  { text: plainLine(path).padEnd(width) },
  { text: `  ${plainLine(why)}`, style: 'dim' },
];
