import type { RunView } from '../../client/views.js';
import { isArtifactRef } from '../../sdk/artifact.js';
import { formatBytes } from '../../sdk/bytes.js';
import { isStoredValue } from '../../sdk/stored-value.js';
import { describeCheck } from '../../sdk/gate.js';
import type { ApprovalRecord } from '../../store/catalog.js';
import { formatNumber, formatTime } from './format.js';
import { outcomeStyles } from './step-tail.js';
import type { Row } from './styled-row.js';
import { padEnd, plainLine, textWidth } from './text-width.js';

/** What an approver is asked and what speaks for and against it: the gates before it, and its evidence. */
export function approvalRows(approval: ApprovalRecord, view: RunView): readonly Row[] {
  const { gate, of, until } = approval;
  return [
    [
      { text: `${gate} waits for a decision`, style: 'bold' },
      ...(of ? [{ text: ` on ${of.name} version ${of.version}` }] : []),
      ...(until === undefined ? [] : [{ text: `, until ${formatTime(until)}` }]),
    ],
    ...gateRows(view),
    ...evidenceRows(approval.evidence),
  ];
}

/** The outcome of each gate with its numbers, a row a check. */
function gateRows({ gates }: RunView): readonly Row[] {
  return gates.flatMap(({ outcome: { gate, outcome, checks } }): readonly Row[] => [
    [{ text: `  gate ${gate}: ` }, { text: outcome, style: outcomeStyles[outcome] }],
    ...Object.entries(checks).map(([name, check]): Row => [
      {
        text: `    ${describeCheck(name, check)}`,
        style: check.outcome === 'pass' ? 'plain' : outcomeStyles[check.outcome],
      },
    ]),
  ]);
}

/** Evidence as one row a value, named by its path. */
function evidenceRows(evidence: unknown): readonly Row[] {
  const facts = flatten(evidence, []);
  if (facts.length === 0) return [];
  const width = Math.max(...facts.map(([name]) => textWidth(name)));
  return [
    [{ text: '  evidence:' }],
    ...facts.map(([name, value]): Row => [{ text: `    ${padEnd(name, width)}  ` }, { text: value }]),
  ];
}

function flatten(value: unknown, path: readonly string[]): readonly (readonly [string, string])[] {
  if (value === null || value === undefined) return [];
  if (typeof value === 'object' && !isArtifactRef(value) && !isStoredValue(value))
    return Object.entries(value).flatMap(([key, item]) => flatten(item, [...path, key]));
  return [[plainLine(path.join('.')) || 'value', factText(value)]];
}

function factText(value: unknown): string {
  if (isArtifactRef(value))
    return `${value.$artifact} ${plainLine(value.name)} (${formatBytes(value.size)}, ${value.digest.slice(0, 19)})`;
  if (isStoredValue(value)) return `JSON of ${formatBytes(value.size)} (${value.$value.slice(0, 19)})`;
  return typeof value === 'number' ? formatNumber(value) : plainLine(String(value));
}
