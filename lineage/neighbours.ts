import type { ArtifactRef } from '../sdk/artifact.js';
import type { ArtifactRecord, Catalog } from '../store/catalog.js';
import type { LineageNode, Relation } from './graph.js';
import { refsIn } from './nodes.js';
import type { RunFacts } from './run-facts.js';
import { runNode, stepNode } from './run-facts.js';

/** A node next to another one, on the side that was asked for. */
export type Neighbour = {
  readonly node: LineageNode;
  readonly relation: Relation;
  readonly field?: string;
};
export type Neighbours = {
  readonly found: readonly Neighbour[];
  /** How many more there are. */
  readonly left?: number;
};

export type Reading = {
  readonly catalog: Catalog;
  readonly runFacts: (id: string) => Promise<RunFacts | undefined>;
  /** Most neighbours of one node. */
  readonly fan: number;
};

type Place = { readonly run: string; readonly path: string };

/** Steps behind artifact records, each once. Registrations are left out: the version stands for them. */
export async function stepsOfRecords(
  records: readonly ArtifactRecord[],
  relation: Relation,
  runFacts: Reading['runFacts'],
): Promise<readonly Neighbour[]> {
  const found = new Map<string, Neighbour>();
  for (const { run, path, field } of records) {
    const facts = await runFacts(run);
    const step = facts?.steps.get(path);
    if (!facts || !step || step.kind === 'register') continue;
    const node = stepNode(facts, step);
    if (!found.has(node.id)) found.set(node.id, { node, relation, field });
  }
  return [...found.values()];
}

/** What a step read or made. Before its end its inputs are not recorded: its input names them. */
export async function artifactsOfStep(
  { run, path }: Place,
  direction: ArtifactRecord['direction'],
  { runFacts }: Reading,
): Promise<readonly { readonly artifact: ArtifactRef; readonly field: string }[]> {
  const facts = await runFacts(run);
  const records = (facts?.artifacts ?? []).filter(
    (each) => each.path === path && each.direction === direction,
  );
  if (records.length > 0 || direction === 'output') return records;
  return refsIn(facts?.steps.get(path)?.input);
}

/** Its steps that read and make content, in order, and the runs it started. */
export async function stepsOfRun(
  run: string,
  { catalog, runFacts, fan }: Reading,
): Promise<readonly Neighbour[]> {
  const facts = await runFacts(run);
  if (!facts) return [];
  const children = await catalog.runs({ parent: run, limit: fan });
  const started = await Promise.all(children.map(({ id }) => runFacts(id)));
  return [
    ...[...facts.steps.values()]
      .filter(({ kind }) => kind === 'step' || kind === 'fetch')
      .map((step) => ({ node: stepNode(facts, step), relation: 'ran' as const })),
    ...started.flatMap((child) => (child ? [{ node: runNode(child), relation: 'ran' as const }] : [])),
  ];
}

/** The run at the top of the tree that a run is part of. */
export async function topOf(run: string, { runFacts }: Pick<Reading, 'runFacts'>): Promise<string> {
  let top = run;
  for (let depth = 0; depth < deepest; depth += 1) {
    const parent = (await runFacts(top))?.run.parent;
    if (!parent) break;
    top = parent.run;
  }
  return top;
}

const deepest = 20;
