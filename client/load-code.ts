import { createRequire } from 'node:module';
import path from 'node:path';
import { BuildFailed, isMillraceError } from '../sdk/errors.js';

/**
 * Runs bundled CommonJS code and gives its exports. External packages are looked for from `projectDir`.
 * @throws BuildFailed when the code throws on load
 */
export function loadCode<T>(
  code: string,
  { projectDir, what }: { readonly projectDir: string; readonly what: string },
): T {
  const module: { exports: unknown } = { exports: {} };
  try {
    // The code is the user's own project: it runs with the rights of whoever started us, as an import of it would.
    // eslint-disable-next-line typescript/no-implied-eval
    const run = new Function(
      'module',
      'exports',
      'require',
      '__filename',
      '__dirname',
      `${code}\n//# sourceURL=${what}`,
    );
    run(
      module,
      module.exports,
      createRequire(path.join(projectDir, 'package.json')),
      path.join(projectDir, 'bundle.cjs'),
      projectDir,
    );
  } catch (error) {
    if (isMillraceError(error)) throw error;
    throw new BuildFailed(
      `${what} failed while it was loaded: ${error instanceof Error ? error.message : String(error)}.`,
      {
        hint: 'Steps and pipelines are declared at load time: keep other work inside their functions.',
        cause: error,
      },
    );
  }
  return module.exports as T;
}
