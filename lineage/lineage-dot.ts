import type { LineageGraph, LineageNode } from './graph.js';
import { nodeLabel } from './node-label.js';

/** The graph in Graphviz's language, time from left to right. */
export function lineageDot({ nodes, edges, root, cut }: LineageGraph): string {
  const names = new Map(nodes.map(({ id }, index) => [id, `n${index}`]));
  return [
    'digraph lineage {',
    '  rankdir=LR;',
    '  node [fontname="sans-serif", fontsize=10];',
    ...nodes.map((node) => {
      const left = cut[node.id] ?? 0;
      const lines = [...nodeLabel(node), ...(left > 0 ? [`${left} more not shown`] : [])];
      const bold = node.id === root ? ', penwidth=2' : '';
      return `  ${names.get(node.id) ?? ''} [label=${quoted(lines)}, shape=${shapes[node.kind]}${bold}];`;
    }),
    ...edges.map(({ from, to, relation, field }) => {
      const label = quoted([field ?? relation]);
      return `  ${names.get(from) ?? ''} -> ${names.get(to) ?? ''} [label=${label}, fontsize=8];`;
    }),
    '}\n',
  ].join('\n');
}

const shapes: Readonly<Record<LineageNode['kind'], string>> = {
  artifact: 'note',
  step: 'box',
  run: 'folder',
  version: 'box3d',
  alias: 'tab',
  gate: 'diamond',
  approval: 'hexagon',
  upload: 'cds',
};

/** Lines as one string: only a quote and a backslash mean something in it, and `\n` ends a line. NUL cannot be written. */
const quoted = (lines: readonly string[]): string =>
  `"${lines.map((line) => line.replaceAll(/\p{Cc}+/gu, ' ').replaceAll(/["\\]/g, String.raw`\$&`)).join(String.raw`\n`)}"`;
