import { access, copyFile, mkdir, rename } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { packageRoot, packageVersion } from '../config/package-root.js';
import { InfrastructureFailed } from '../sdk/errors.js';
import type { StepSpec, StoredContent } from '../sdk/step-spec.js';
import type { StepDefinition } from '../sdk/step.js';
import type { ArtifactStore } from '../store/artifact-store.js';
import type { StatePaths } from '../config/state-paths.js';

/** Content placed once on this host, shared by attempts and read-only to them. */
export interface PlacedContent {
  /** Absolute path of the file or folder. */
  place(kind: 'tree' | 'code', content: StoredContent): Promise<string>;
  /**
   * Folder with the Python helper, below the state directory: the engine that a worker in a container uses sees that folder,
   * and not our package.
   */
  helper(): Promise<string>;
  /** A step's schemas and, of a function step, its function. */
  definition(spec: StepSpec): Promise<StepDefinition>;
}

export function placedContent(store: ArtifactStore, paths: StatePaths): PlacedContent {
  const places = new Map<string, Promise<string>>();
  const definitions = new Map<string, Promise<StepDefinition>>();

  const place: PlacedContent['place'] = (kind, content) =>
    once(places, `${kind} ${content.digest}`, async () => {
      const target = paths.cached(kind, content.digest);
      if (await exists(target)) return target;
      await mkdir(path.dirname(target), { recursive: true });
      await store.place(content, target, { mode: 'copy' }).catch(async (error: unknown) => {
        // Another process of this host may have been quicker.
        if (!(await exists(target))) throw error;
      });
      return target;
    });

  return {
    place,
    helper: () =>
      once(places, 'helper', async () => {
        const folder = path.join(paths.helper, packageVersion());
        await mkdir(folder, { recursive: true });
        const draft = path.join(folder, `.${process.pid}.py`);
        await copyFile(path.join(packageRoot(), 'sdk/python/millrace.py'), draft);
        await rename(draft, path.join(folder, 'millrace.py'));
        return folder;
      }),
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
  const there = known.get(key);
  if (there) return there;
  const made = make();
  known.set(key, made);
  made.catch(() => known.delete(key));
  return made;
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
