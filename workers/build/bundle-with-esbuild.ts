import path from 'node:path';
import type { BuildOptions, Metafile, Plugin } from 'esbuild';
import { build } from 'esbuild';
import { BuildFailed, isMillraceError } from '../../sdk/errors.js';
import { preferTypescript } from './prefer-typescript.js';
import { ownFiles, ownRoot, resolvePackage } from './own-files.js';

/** Name of the generated entry among a bundle's inputs. */
export const entryFile = 'millrace-entry.js';

export type Bundled = { readonly code: string; readonly metafile: Metafile };

export type BundleOptions = {
  /** Code of the entry; its imports are resolved from `projectDir`. */
  readonly entry: string;
  readonly projectDir: string;
  /** What it is, for error messages. */
  readonly what: string;
  readonly plugins?: readonly Plugin[];
  readonly options?: Pick<
    BuildOptions,
    'minifyWhitespace' | 'minifySyntax' | 'sourcemap' | 'packages' | 'external' | 'define'
  >;
};

/**
 * One CommonJS file for Node 20 out of an entry and all it imports. A project without a zod of its own gets ours.
 * @throws BuildFailed with esbuild's own words and places
 */
export async function bundleWithEsbuild({
  entry,
  projectDir,
  what,
  plugins = [],
  options = {},
}: BundleOptions): Promise<Bundled> {
  try {
    const result = await build({
      stdin: { contents: entry, resolveDir: projectDir, sourcefile: entryFile, loader: 'js' },
      absWorkingDir: projectDir,
      bundle: true,
      write: false,
      metafile: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      legalComments: 'none',
      logLevel: 'silent',
      alias: {
        ...(options.external?.includes('millrace') ? {} : { millrace: ownFiles.sdk }),
        ...(options.external?.includes('zod') ? {} : { zod: resolvePackage('zod', projectDir) }),
      },
      ...options,
      plugins: [...plugins, preferTypescript],
    });
    const code = portableNames(result.outputFiles[0]?.text ?? '', projectDir);
    return { code, metafile: result.metafile };
  } catch (error) {
    throw buildError(error, what);
  }
}

/** esbuild names modules by their path from the project: of those outside it the way there must not get into any digest. */
function portableNames(code: string, projectDir: string): string {
  const own = path.relative(projectDir, ownRoot);
  return code.replaceAll(/"(\.\.\/[^"\n]+)"\(/g, (text, file: string) => {
    const inPackages = file.lastIndexOf('node_modules/');
    if (inPackages >= 0) return `"${file.slice(inPackages)}"(`;
    return file.startsWith(`${own}/`) ? `"millrace${file.slice(own.length)}"(` : text;
  });
}

type Message = {
  readonly text: string;
  readonly detail?: unknown;
  readonly location: { readonly file: string; readonly line: number } | null;
};

function buildError(error: unknown, what: string): unknown {
  const messages = (error as { errors?: readonly Message[] }).errors ?? [];
  const ours = messages.map(({ detail }) => detail).find(isMillraceError);
  if (ours) return ours;
  const words = messages.map(({ text, location }) =>
    location ? `${location.file}:${location.line}: ${text}` : text,
  );
  return new BuildFailed(`${what} could not be bundled: ${words.join('; ') || String(error)}.`, {
    hint: 'Mend the file and save it again.',
    cause: error,
  });
}
