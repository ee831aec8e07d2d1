import type { ArtifactSummary, ArtifactView, VerifyReport } from '../../client/index.js';
import { formatBytes } from '../../sdk/bytes.js';
import { formatTime } from './format.js';
import type { Row } from './styled-row.js';
import type { Cell } from './table.js';
import { tableRows } from './table.js';
import { plainLine } from './text-width.js';

/** Digits that tell artifacts of one store apart for a person; any unique beginning is taken. */
const shownDigits = 12;
const mostEntries = 200;

export const artifactTable = (artifacts: readonly ArtifactSummary[]): readonly Row[] =>
  tableRows(
    ['DIGEST', 'KIND', 'NAME', 'SIZE', 'MADE BY', 'USED BY'],
    artifacts.map(({ artifact, madeBy, usedBy }): readonly Cell[] => [
      { text: artifact.digest.slice('sha256:'.length, 'sha256:'.length + shownDigits), style: 'bold' },
      { text: artifact.$artifact },
      { text: plainLine(artifact.name) },
      { text: formatBytes(artifact.size) },
      { text: places(madeBy) },
      { text: places(usedBy), style: 'dim' },
    ]),
  );

/** The first, and how many more. */
const places = (all: ArtifactSummary['madeBy']): string => {
  const [first] = all;
  if (!first) return '';
  return `${first.run}/${first.path}${all.length > 1 ? ` +${all.length - 1}` : ''}`;
};

export function artifactReport(view: ArtifactView): readonly Row[] {
  const { digest, type, size, artifact, entries = [], madeBy, usedBy } = view;
  const shown = entries.slice(0, mostEntries);
  return [
    [{ text: digest, style: 'bold' }],
    fact('kind', artifact ? `${artifact.$artifact} ${plainLine(artifact.name)}` : 'none: no step named it'),
    fact('type', type === 'tree' ? `folder of ${entries.length} files` : 'file'),
    ...(size === undefined ? [] : [fact('size', formatBytes(size))]),
    ...madeBy.map((place) => fact('made by', placeText(place))),
    ...usedBy.map((place) => fact('used by', placeText(place))),
    ...(shown.length === 0 ? [] : [[]]),
    ...shown.map((entry): Row => [
      { text: `  ${entry.digest.slice(7, 7 + shownDigits)}  `, style: 'dim' },
      { text: `${entry.executable ? 'x' : ' '} ${formatBytes(entry.size).padStart(10)}  ` },
      { text: plainLine(entry.path) },
    ]),
    ...(entries.length > shown.length
      ? [[{ text: `  … ${entries.length - shown.length} more (--json has all)`, style: 'dim' } as const]]
      : []),
  ];
}

const placeText = ({ run, path, field, at }: ArtifactView['madeBy'][number]): string =>
  `${run} ${path} (${field}) ${formatTime(at)}`;

const fact = (name: string, value: string): Row => [
  { text: `  ${name.padEnd(8)} `, style: 'dim' },
  { text: value },
];

export const verifyRows = ({ checked, bad }: VerifyReport): readonly Row[] => [
  ...bad.map(({ code, message, trees }): Row => [
    { text: `${code === 'ARTIFACT_MISSING' ? 'missing' : 'corrupt'} `, style: 'red' },
    { text: `${plainLine(message)}${trees.length > 0 ? ` In the folders ${trees.join(', ')}.` : ''}` },
  ]),
  [
    bad.length === 0
      ? { text: `${checked} verified`, style: 'green' }
      : { text: `${bad.length} of ${checked} are bad`, style: 'red' },
  ],
];
