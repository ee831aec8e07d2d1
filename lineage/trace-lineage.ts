import type { Catalog } from '../store/catalog.js';
import type { LineageEdge, LineageGraph, LineageNode } from './graph.js';
import { neighboursAbove } from './neighbours-above.js';
import { neighboursBelow } from './neighbours-below.js';
import type { Neighbours, Reading } from './neighbours.js';
import { runReader } from './run-facts.js';

export type TraceOptions = {
  readonly catalog: Catalog;
  /** `up` (default): what it was made from; `down`: what was made from it. */
  readonly direction?: 'up' | 'down';
  /** How many steps far; default as far as it goes. */
  readonly depth?: number;
  /** Most nodes; default 500. */
  readonly limit?: number;
  /** Most neighbours of one node that are followed; default 50. */
  readonly fan?: number;
};

/** A node to go on from, the run that the way there went through, and how many steps lie on it. */
type Open = { readonly node: LineageNode; readonly within: string | undefined; readonly steps: number };

/**
 * Follows what was made from what, from one node on. Each node is visited once, so that a circle ends; what is too much is
 * left out, and the graph says so.
 */
export async function traceLineage(root: LineageNode, options: TraceOptions): Promise<LineageGraph> {
  const { catalog, direction = 'up', depth = Infinity, limit = 500, fan = 50 } = options;
  const reading: Reading = { catalog, runFacts: runReader(catalog), fan };
  const nodes = new Map<string, LineageNode>([[root.id, root]]);
  const edges = new Map<string, LineageEdge>();
  const cut: Record<string, number> = {};
  let full = false;
  let tooDeep = false;
  // Those with fewer steps on their way go first, so that the depth is that of the shortest way.
  let [now, later]: [Open[], Open[]] = [[{ node: root, within: runOf(root), steps: 0 }], []];
  for (;;) {
    const open = now.shift();
    if (!open) {
      if (later.length === 0) break;
      [now, later] = [later, []];
      continue;
    }
    const { found, left = 0 } = bounded(await neighbours(open, direction, reading), fan);
    if (left > 0) cut[open.node.id] = left;
    for (const { node, relation, field } of found) {
      const isNew = !nodes.has(node.id);
      const steps = open.steps + (node.kind === 'step' ? 1 : 0);
      if (isNew && steps > depth) {
        tooDeep = true;
        continue;
      }
      if (isNew && nodes.size >= limit) {
        full = true;
        continue;
      }
      const [from, to] = direction === 'up' ? [node.id, open.node.id] : [open.node.id, node.id];
      const edge = { from, to, relation, ...(field !== undefined && field !== '' && { field }) };
      edges.set(JSON.stringify([from, to, relation]), edge);
      if (!isNew) continue;
      nodes.set(node.id, node);
      const next = { node, within: runOf(node) ?? open.within, steps };
      (steps > open.steps ? later : now).push(next);
    }
  }
  return {
    root: root.id,
    direction,
    nodes: [...nodes.values()],
    edges: [...edges.values()],
    cut,
    notes: [
      ...(full ? [`Only the nearest ${limit} are shown: there is more.`] : []),
      ...(tooDeep ? [`Only ${depth} ${depth === 1 ? 'step' : 'steps'} far: there is more.`] : []),
      ...(Object.keys(cut).length > 0
        ? [`Of ${Object.keys(cut).length} with many neighbours only some of these are shown.`]
        : []),
    ],
  };
}

const neighbours = (
  { node, within }: Open,
  direction: 'up' | 'down',
  reading: Reading,
): Promise<Neighbours> =>
  direction === 'up' ? neighboursAbove(node, within, reading) : neighboursBelow(node, reading);

function bounded({ found, left = 0 }: Neighbours, fan: number): Neighbours {
  const over = Math.max(0, found.length - fan);
  return { found: over > 0 ? found.slice(0, fan) : found, left: left + over };
}

const runOf = (node: LineageNode): string | undefined => ('run' in node ? node.run : undefined);
