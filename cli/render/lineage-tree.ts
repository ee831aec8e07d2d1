import type { LineageEdge, LineageGraph, LineageNode } from '../../lineage/graph.js';
import { nodeLabel } from '../../lineage/node-label.js';
import { formatTime } from './format.js';
import type { Row, Segment, Style } from './styled-row.js';
import { plainLine } from './text-width.js';

/** The graph as a tree from what was asked for on; what several ways lead to is shown with what follows it once. */
export function lineageTree(graph: LineageGraph): readonly Row[] {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const below = new Map<string, LineageEdge[]>();
  for (const edge of graph.edges) {
    const [near] = ends(edge, graph);
    below.set(near, [...(below.get(near) ?? []), edge]);
  }
  const rows: Row[] = [];
  const shown = new Set<string>();
  // A stack, not recursion: a chain may be as long as the graph is large.
  const open: (Branch | Row)[] = [{ id: graph.root, prefix: '', indent: '', field: undefined }];
  for (let next = open.pop(); next; next = open.pop()) {
    if (!('id' in next)) {
      rows.push(next);
      continue;
    }
    const node = nodes.get(next.id);
    if (!node) continue;
    const again = shown.has(node.id);
    const edges = again ? [] : (below.get(node.id) ?? []);
    rows.push([
      ...(next.prefix === '' ? [] : [{ text: next.prefix, style: 'dim' as const }]),
      ...nodeSegments(node, next.field),
      ...(again && (below.get(node.id) ?? []).length > 0
        ? [{ text: '  (see above)', style: 'dim' as const }]
        : []),
    ]);
    if (again) continue;
    shown.add(node.id);
    const { indent } = next;
    const left = graph.cut[node.id] ?? 0;
    const branches = edges.map((edge, index): Branch => {
      const last = index === edges.length - 1 && left === 0;
      return {
        id: ends(edge, graph)[1],
        prefix: `${indent}${last ? '└─ ' : '├─ '}`,
        indent: `${indent}${last ? '   ' : '│  '}`,
        field: edge.field,
      };
    });
    const more: readonly Row[] = left > 0 ? [[{ text: `${indent}└─ … ${left} more`, style: 'dim' }]] : [];
    open.push(...[...branches, ...more].reverse());
  }
  return [...rows, ...graph.notes.map((note): Row => [{ text: note, style: 'yellow' }])];
}

type Branch = {
  readonly id: string;
  readonly prefix: string;
  readonly indent: string;
  readonly field: string | undefined;
};

const ends = (
  { from, to }: LineageEdge,
  { direction }: LineageGraph,
): readonly [near: string, far: string] => (direction === 'up' ? [to, from] : [from, to]);

function nodeSegments(node: LineageNode, field: string | undefined): readonly Segment[] {
  const [name, ...facts] = nodeLabel(node);
  return [
    { text: plainLine(name), style: styles[node.kind] },
    ...(field === undefined ? [] : [{ text: `  ${plainLine(field)}`, style: 'dim' as const }]),
    ...facts.map((fact): Segment => ({ text: `  ${plainLine(localTimes(fact))}`, style: 'dim' })),
  ];
}

/** Times of the catalog are UTC; people read their own. */
const localTimes = (text: string): string =>
  text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, (time) => formatTime(time));

const styles: Readonly<Record<LineageNode['kind'], Style>> = {
  artifact: 'cyan',
  step: 'bold',
  run: 'bold',
  version: 'green',
  alias: 'green',
  gate: 'yellow',
  approval: 'yellow',
  upload: 'plain',
};
