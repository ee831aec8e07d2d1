import type { ArtifactRef, Digest } from '../sdk/artifact.js';
import { walkArtifacts } from '../sdk/artifact.js';
import { UnknownArtifact, UnknownModel, UnknownRun } from '../sdk/errors.js';
import type { Catalog, ModelRecord } from '../store/catalog.js';
import type { LineageNode } from './graph.js';
import { aliasNode, artifactNode, versionNode } from './nodes.js';
import { runNode, runReader } from './run-facts.js';

const hint =
  'Give a model (`mortgage@champion`, `mortgage@3`), the digest of an artifact or its beginning, or a run.';

/**
 * The node that a text names: `model@alias`, `model@version`, a digest or the beginning of one (6 digits at least), or a run.
 * @throws UnknownModel, UnknownArtifact, UnknownRun
 */
export async function findNode(text: string, catalog: Catalog): Promise<LineageNode> {
  const [, name, which] = /^(.+)@([^@]+)$/.exec(text) ?? [];
  if (name !== undefined && which !== undefined) return modelNode(name, which, catalog);
  const [, prefix, digits] = /^(sha256:)?([0-9a-f]{6,64})$/i.exec(text) ?? [];
  if (digits !== undefined) {
    const artifact = await findArtifact(digits.toLowerCase(), catalog);
    if (artifact) return artifactNode(artifact);
    if (prefix !== undefined) throw new UnknownArtifact(`No run read or made an artifact ${text}.`, { hint });
  }
  const facts = await runReader(catalog)(text);
  if (facts) return runNode(facts);
  throw new UnknownRun(`There is no run \`${text}\`.`, { hint });
}

async function modelNode(name: string, which: string, catalog: Catalog): Promise<LineageNode> {
  const model = await catalog.model(name);
  if (!model)
    throw new UnknownModel(`There is no model \`${name}\`.`, { hint: '`millrace models` lists them.' });
  const alias = model.aliases.find((each) => each.alias === which);
  if (alias) return aliasNode(alias);
  const version = model.versions.find((each) => String(each.version) === which.replace(/^v/, ''));
  if (version) return versionNode(version);
  throw new UnknownModel(`The model \`${name}\` has no alias and no version \`${which}\`.`, {
    hint: known(model),
    fields: { name },
  });
}

const known = ({ versions, aliases }: ModelRecord): string =>
  [
    `Its versions: ${versions.slice(-5).map(({ version }) => version).join(', ')}`,
    ...(aliases.length > 0 ? [`its aliases: ${aliases.map(({ alias }) => alias).join(', ')}`] : []),
  ].join('; ') + '.'; // prettier-ignore

async function findArtifact(digits: string, catalog: Catalog): Promise<ArtifactRef | undefined> {
  const digests = await catalog.edges.beginning(`sha256:${digits}`, 6);
  const [digest, ...others] = digests;
  if (digest === undefined) return undefined;
  if (others.length > 0) {
    throw new UnknownArtifact(`Several artifacts begin with \`${digits}\`.`, {
      hint: `Give more of the digest: ${digests.slice(0, 5).map((each) => each.slice(0, 23)).join(', ')}.`,
      fields: { digests },
    }); // prettier-ignore
  }
  return describeArtifact(digest, catalog);
}

/** A reference to content, as whoever made it, or was given it first, called it. */
async function describeArtifact(digest: Digest, catalog: Catalog): Promise<ArtifactRef | undefined> {
  const { edges } = catalog;
  for (const direction of ['output', 'input'] as const) {
    const [record] = (await edges.steps(digest, direction, 1)).items;
    if (record) return record.artifact;
  }
  const [version] = await edges.versions(digest);
  if (version) return version.model;
  const [run] = await edges.runsGiven(digest, 1);
  let found: ArtifactRef | undefined;
  walkArtifacts(run === undefined ? undefined : (await catalog.run(run))?.input, (ref) => {
    if (ref.digest === digest) found ??= ref;
  });
  return found;
}
