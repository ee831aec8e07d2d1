import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { InfrastructureFailed } from '../sdk/errors.js';
import type { StepDefinition, StepSpec, StoredContent } from '../sdk/step.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { StatePaths } from '../config/state-paths.js';

/** Content placed once on this host, shared by attempts and read-only to them. */
export interface PlacedContent {
  /** Absolute path of the file or folder. */
  place(kind: 'tree' | 'code', content: StoredContent): Promise<string>;
  /** A step's schemas and, of a function step, its function. */
  definition(spec: StepSpec): Promise<StepDefinition>;
}

export function placedContent(store: ArtifactStore, paths: StatePaths): PlacedContent {
  const places = new Map<string, Promise<string>>();
  const definitions = new Map<string, Promise<StepDefinition>>();

  const place: PlacedContent['place'] = (kind, content) =>
    once(places, `${kind} ${content.digest}`, async () => {
      const target = paths.cached(kind, content.digest);
      await mkdir(path.dirname(target), { recursive: true });
      await store.place(content, target, { mode: 'copy' }).catch(ignoreExisting);
      return target;
    });

  return {
    place,
    definition(spec) {
      const { code } = spec;
      if (!code) throw new InfrastructureFailed(`Step \`${spec.name}\` was recorded without its code.`);
      return once(definitions, code.digest, async () => {
        const file = await place('code', code);
        return (createRequire(import.meta.filename)(file) as { definition: StepDefinition }).definition;
      });
    },
  };
}

/** One computation a key; a failed one is forgotten. */
function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const made = known.get(key) ?? make();
  known.set(key, made);
  made.catch(() => known.delete(key));
  return made;
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST' && error.code !== 'ENOTEMPTY') throw error;
}
