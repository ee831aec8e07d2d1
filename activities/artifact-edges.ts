import { walkArtifacts } from '../sdk/artifact.js';
import type { StepTask } from '../sdk/protocol/messages.js';
import type { ArtifactRecord } from '../store/catalog.js';
import { now } from './step-row.js';

/** What a step read and made, each by digest: the ground lineage stands on. */
export function artifactEdges({ run, path, input }: StepTask, output: unknown): readonly ArtifactRecord[] {
  const found: ArtifactRecord[] = [];
  const at = now();
  const collect = (direction: ArtifactRecord['direction'], value: unknown) =>
    walkArtifacts(value, (artifact, keys) =>
      found.push({ run, path, direction, field: keys.join('/'), artifact, at }),
    );
  collect('input', input);
  collect('output', output);
  return found;
}
