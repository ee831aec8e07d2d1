import type { ArtifactRecord } from '../store/catalog.js';
import type {
  AliasNode,
  ApprovalNode,
  ArtifactNode,
  GateNode,
  LineageNode,
  StepNode,
  VersionNode,
} from './graph.js';
import type { Neighbour, Neighbours, Reading } from './neighbours.js';
import { artifactsOfStep, stepsOfRecords, stepsOfRun, topOf } from './neighbours.js';
import { stepNode } from './run-facts.js';
import { approvalNode, artifactNode, gateNode, refsIn, versionNode } from './nodes.js';

/** Steps that made the same bytes in other runs: from which of them these came, nobody knows. */
const otherMakers = 3;
const mostMakers = 200;

/**
 * What a node was made from.
 * @param within the run the way came from: what that run made itself is where its content comes from
 */
export async function neighboursAbove(
  node: LineageNode,
  within: string | undefined,
  reading: Reading,
): Promise<Neighbours> {
  switch (node.kind) {
    case 'artifact':
      return makersOf(node, within, reading);
    case 'step':
      return { found: await inputsOf(node, reading) };
    case 'run':
      return { found: await stepsOfRun(node.run, reading) };
    case 'version':
      return { found: await groundsOf(node, reading) };
    case 'alias':
      return { found: await whatIsNamed(node, reading) };
    case 'gate':
    case 'approval':
      return { found: await evidenceOf(node, reading) };
    case 'upload':
      return { found: [] };
  }
}

/**
 * Steps that made these bytes. Where the run that the way came through made them itself, or one that it belongs together with,
 * those are meant; else the first ones anywhere.
 */
async function makersOf(
  { digest }: ArtifactNode,
  within: string | undefined,
  reading: Reading,
): Promise<Neighbours> {
  const { catalog, runFacts } = reading;
  const { items, total } = await catalog.edges.steps(digest, 'output', mostMakers);
  const near = await nearest(items, within, reading);
  const makers = await stepsOfRecords(near ?? items, 'made', runFacts);
  const shown = near ? makers : makers.slice(0, otherMakers);
  const left = near ? 0 : Math.max(total - items.length + makers.length - shown.length, 0);
  if (!(await allHandOn(near ?? items, reading))) return { found: shown, left };
  const runs = await catalog.edges.runsGiven(digest, 4);
  if (runs.length === 0) return { found: shown, left };
  const upload = { kind: 'upload', id: `upload:${digest}`, digest, runs } as const;
  return { found: [...shown, { node: upload, relation: 'uploaded' }], left };
}

async function nearest(
  records: readonly ArtifactRecord[],
  within: string | undefined,
  reading: Reading,
): Promise<readonly ArtifactRecord[] | undefined> {
  if (within === undefined) return undefined;
  const here = records.filter(({ run }) => run === within);
  if (here.length > 0) return here;
  const top = await topOf(within, reading);
  const tops = await Promise.all(records.map(({ run }) => topOf(run, reading)));
  const family = records.filter((_, index) => tops[index] === top);
  return family.length > 0 ? family : undefined;
}

/** Whether each of these steps was given the very bytes: then none of them made it. */
async function allHandOn(records: readonly ArtifactRecord[], { runFacts }: Reading): Promise<boolean> {
  for (const { run, path, artifact } of records) {
    const given = ((await runFacts(run))?.artifacts ?? []).some(
      (each) => each.path === path && each.direction === 'input' && each.artifact.digest === artifact.digest,
    );
    if (!given) return false;
  }
  return true;
}

/** What it read; and, where its answer was taken from the cache or from a run it recovers, the step that computed it. */
async function inputsOf(step: StepNode, reading: Reading): Promise<readonly Neighbour[]> {
  const { catalog, runFacts } = reading;
  const artifacts = await artifactsOfStep(step, 'input', reading);
  const taken = (await runFacts(step.run))?.steps.get(step.path)?.reused;
  const from = taken ?? (await catalog.cache.use({ run: step.run, path: step.path }))?.from;
  const facts = from && (await runFacts(from.run));
  const computed = facts?.steps.get(from?.path ?? '');
  return [
    ...(facts && computed ? [{ node: stepNode(facts, computed), relation: 'reused' as const }] : []),
    ...artifacts.map(({ artifact, field }) => ({
      node: artifactNode(artifact),
      relation: 'read' as const,
      field,
    })),
  ];
}

async function whatIsNamed(
  { name, version: number, run, at: namedAt }: AliasNode,
  { catalog, runFacts }: Reading,
): Promise<readonly Neighbour[]> {
  const model = await catalog.model(name);
  const version = model?.versions.find((each) => each.version === number);
  if (!version) return [];
  // Those before the registration stand with the version.
  const gates =
    (await runFacts(run))?.gates.filter(({ at }) => at > version.createdAt && at <= namedAt) ?? [];
  return [
    { node: versionNode(version), relation: 'named' },
    ...gates.map((gate) => ({ node: gateNode(gate), relation: 'judged' as const })),
  ];
}

/** Why there is this version: its bytes, what was shown for it, the gates before it, and who decided on it. */
async function groundsOf(node: VersionNode, { catalog, runFacts }: Reading): Promise<readonly Neighbour[]> {
  const model = await catalog.model(node.name);
  const version = model?.versions.find((each) => each.version === node.version);
  if (!version) return [];
  const facts = await runFacts(version.run);
  const gates = (facts?.gates ?? []).filter(({ at }) => at <= version.createdAt);
  return [
    { node: artifactNode(version.model), relation: 'registered' },
    ...refsIn(version.evidence).map(({ artifact, field }) => ({
      node: artifactNode(artifact),
      relation: 'evidence' as const,
      field,
    })),
    ...gates.map((gate) => ({ node: gateNode(gate), relation: 'judged' as const })),
    ...(await catalog.edges.approvalsOf(version)).map((approval) => ({
      node: approvalNode(approval),
      relation: 'decided' as const,
    })),
  ];
}

async function evidenceOf(
  { kind, run, path }: GateNode | ApprovalNode,
  { runFacts }: Reading,
): Promise<readonly Neighbour[]> {
  const facts = await runFacts(run);
  const records = kind === 'gate' ? facts?.gates : facts?.approvals;
  const record = records?.find((each) => each.path === path);
  return refsIn(record?.evidence).map(({ artifact, field }) => ({
    node: artifactNode(artifact),
    relation: 'evidence',
    field,
  }));
}
