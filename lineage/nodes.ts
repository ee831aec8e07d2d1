import type { ArtifactRef } from '../sdk/artifact.js';
import { walkArtifacts } from '../sdk/artifact.js';
import type { AliasRecord, ApprovalRecord, GateRecord, VersionRecord } from '../store/catalog.js';
import type { AliasNode, ApprovalNode, ArtifactNode, GateNode, VersionNode } from './graph.js';

export const artifactNode = ({ $artifact, digest, type, size, name }: ArtifactRef): ArtifactNode => ({
  kind: 'artifact',
  id: digest,
  digest,
  artifact: $artifact,
  type,
  size,
  name,
});

export const versionNode = ({
  name,
  version,
  run,
  path,
  createdAt,
  metrics,
}: VersionRecord): VersionNode => ({
  kind: 'version',
  id: `version:${name}@${version}`,
  name,
  version,
  run,
  path,
  at: createdAt,
  metrics,
});

export const aliasNode = ({ name, alias, version, run, at }: AliasRecord): AliasNode => ({
  kind: 'alias',
  id: `alias:${name}@${alias}`,
  name,
  alias,
  version,
  run,
  at,
});

export const gateNode = ({ run, path, outcome, at }: GateRecord): GateNode => ({
  kind: 'gate',
  id: `gate:${run}/${path}`,
  run,
  path,
  gate: outcome.gate,
  outcome: outcome.outcome,
  checks: outcome.checks,
  at,
});

export const approvalNode = ({
  run,
  path,
  gate,
  status,
  openedAt,
  decision,
}: ApprovalRecord): ApprovalNode => ({
  kind: 'approval',
  id: `approval:${run}/${path}`,
  run,
  path,
  gate,
  status,
  at: decision?.at ?? openedAt,
  ...(decision && { by: decision.by }),
  ...(decision?.reason !== undefined && { reason: decision.reason }),
});

/** Artifacts in a JSON value, with where in it they stand. */
export function refsIn(
  value: unknown,
): readonly { readonly artifact: ArtifactRef; readonly field: string }[] {
  const found: { readonly artifact: ArtifactRef; readonly field: string }[] = [];
  walkArtifacts(value, (artifact, keys) => found.push({ artifact, field: keys.join('/') }));
  return found;
}
