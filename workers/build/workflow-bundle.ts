import { createRequire } from 'node:module';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { BuildFailed } from '../../sdk/errors.js';
import { resolvePackage } from './own-files.js';

/** What Temporal's worker replays: the entry with Temporal's own workflow code around it. */
export async function bundleWorkflows(code: string, projectDir: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-bundle-'));
  const said: string[] = [];
  try {
    const workflowsPath = path.join(folder, 'workflows.js');
    await writeFile(workflowsPath, code);
    const bundle = await bundleWorkflowCode({
      workflowsPath,
      // Parsed once a process instead of once a replay.
      preloadModules: ['zod'],
      logger: new DefaultLogger('ERROR', ({ message }) => said.push(message)),
      webpackConfigHook: (config) => ({
        ...config,
        // Names of modules and sources must not depend on where the bundle was made.
        context: folder,
        resolve: {
          ...config.resolve,
          modules: [...(config.resolve?.modules ?? []), modulesFolder()],
          alias: { ...config.resolve?.alias, zod$: resolvePackage('zod', projectDir) },
        },
      }),
    });
    return bundle.code;
  } catch (error) {
    throw new BuildFailed(`The workflow bundle could not be made: ${said.join(' ') || String(error)}.`, {
      cause: error,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The node_modules that holds Temporal's workflow package: the bundle's own folder has none above it. */
const modulesFolder = (): string =>
  path.resolve(createRequire(import.meta.filename).resolve('@temporalio/workflow/package.json'), '../../..');
