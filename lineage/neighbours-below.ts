import type { ArtifactNode, LineageNode, StepNode, VersionNode } from './graph.js';
import type { Neighbour, Neighbours, Reading } from './neighbours.js';
import { artifactsOfStep, stepsOfRecords, stepsOfRun } from './neighbours.js';
import { aliasNode, approvalNode, artifactNode, gateNode, versionNode } from './nodes.js';

/** What was made from a node. */
export async function neighboursBelow(node: LineageNode, reading: Reading): Promise<Neighbours> {
  switch (node.kind) {
    case 'artifact':
      return usersOf(node, reading);
    case 'step':
      return { found: await outputsOf(node, reading) };
    case 'run':
      return { found: await stepsOfRun(node.run, reading) };
    case 'version':
      return { found: await resultsOf(node, reading) };
    case 'alias':
    case 'gate':
    case 'approval':
    case 'upload':
      return { found: [] };
  }
}

async function usersOf({ digest }: ArtifactNode, { catalog, runFacts, fan }: Reading): Promise<Neighbours> {
  const { items, total } = await catalog.edges.steps(digest, 'input', fan);
  const versions = await catalog.edges.versions(digest);
  const { gates, approvals } = await catalog.edges.decisions(digest, fan);
  return {
    found: [
      ...(await stepsOfRecords(items, 'read', runFacts)),
      ...versions.map((version) => ({ node: versionNode(version), relation: 'registered' as const })),
      ...gates.map((gate) => ({ node: gateNode(gate), relation: 'evidence' as const })),
      ...approvals.map((approval) => ({ node: approvalNode(approval), relation: 'evidence' as const })),
    ],
    left: total - items.length,
  };
}

async function outputsOf(step: StepNode, reading: Reading): Promise<readonly Neighbour[]> {
  const artifacts = await artifactsOfStep(step, 'output', reading);
  return artifacts.map(({ artifact, field }) => ({ node: artifactNode(artifact), relation: 'made', field }));
}

async function resultsOf(
  { name, version }: VersionNode,
  { catalog }: Reading,
): Promise<readonly Neighbour[]> {
  const aliases = (await catalog.model(name))?.aliases.filter((alias) => alias.version === version) ?? [];
  return [
    ...(await catalog.edges.approvalsOf({ name, version })).map((approval) => ({
      node: approvalNode(approval),
      relation: 'decided' as const,
    })),
    ...aliases.map((alias) => ({ node: aliasNode(alias), relation: 'named' as const })),
  ];
}
