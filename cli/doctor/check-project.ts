import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isMillraceError } from '../../sdk/errors.js';
import { openArtifactStore } from '../../store/open-artifact-store.js';
import { openCatalog } from '../../store/open-catalog.js';
import { buildProject } from '../../workers/build/build-project.js';
import { findProjectFiles } from '../../workers/build/project-files.js';
import type { Check } from './check.js';
import { fail, ok, warn } from './check.js';

/** Builds the project as a worker would, into stores that are thrown away: nothing is published. */
export const projectCheck: Check = {
  name: 'project',
  async look({ projectDir, queue }) {
    if ((await findProjectFiles(projectDir)).pipelines.length === 0)
      return warn(`no *.pipeline.ts below ${projectDir}`, 'Write one, or go where they are (--cwd).');
    const folder = await mkdtemp(path.join(tmpdir(), 'millrace-doctor-'));
    try {
      const store = await openArtifactStore(`file:${path.join(folder, 'artifacts')}`);
      await using catalog = await openCatalog(`sqlite:${path.join(folder, 'catalog.db')}`);
      const { record } = await buildProject({ projectDir, queue, store, catalog });
      const names = record.pipelines.map(({ name }) => name);
      return ok(
        `builds: ${names.join(', ')} with ${record.steps.length} ${record.steps.length === 1 ? 'step' : 'steps'}`,
      );
    } catch (error) {
      if (!isMillraceError(error)) throw error;
      return fail(`${error.code}: ${error.what}`, error.hint ?? 'Correct it and try again.');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
