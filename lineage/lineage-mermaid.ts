import type { LineageGraph, LineageNode } from './graph.js';
import { nodeLabel } from './node-label.js';

/** The graph as a Mermaid flowchart, time from left to right. */
export function lineageMermaid({ nodes, edges, root, cut }: LineageGraph): string {
  const names = new Map(nodes.map(({ id }, index) => [id, `n${index}`]));
  return [
    'flowchart LR',
    ...nodes.map((node) => {
      const left = cut[node.id] ?? 0;
      const lines = [...nodeLabel(node), ...(left > 0 ? [`${left} more not shown`] : [])];
      const [open, close] = shapes[node.kind];
      return `  ${names.get(node.id) ?? ''}${open}"${lines.map(escaped).join('<br/>')}"${close}`;
    }),
    ...edges.map(
      ({ from, to, relation, field }) =>
        `  ${names.get(from) ?? ''} -->|"${escaped(field ?? relation)}"| ${names.get(to) ?? ''}`,
    ),
    `  style ${names.get(root) ?? ''} stroke-width:3px\n`,
  ].join('\n');
}

const shapes: Readonly<Record<LineageNode['kind'], readonly [string, string]>> = {
  artifact: ['[(', ')]'],
  step: ['[', ']'],
  run: ['[[', ']]'],
  version: ['(', ')'],
  alias: ['([', '])'],
  gate: ['{', '}'],
  approval: ['{{', '}}'],
  upload: ['>', ']'],
};

/** Whatever could mean something to Mermaid or HTML goes as a character reference. */
const escaped = (text: string): string =>
  text
    .replaceAll(/\p{Cc}+/gu, ' ')
    .replaceAll(/[^\p{L}\p{N} .,:=@/_()+-]/gu, (character) => `#${character.codePointAt(0) ?? 32};`);
