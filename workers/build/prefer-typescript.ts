import { access } from 'node:fs/promises';
import path from 'node:path';
import type { Plugin } from 'esbuild';

/** `./x.js` is x.ts where that stands beside: what a compiler emitted earlier is not what the author edits. */
export const preferTypescript: Plugin = {
  name: 'millrace-prefer-typescript',
  setup(build) {
    build.onResolve({ filter: /^\.{1,2}\/.*\.[mc]?js$/ }, async ({ path: request, resolveDir, importer }) => {
      // Packages mean what they say.
      if (resolveDir.includes(`${path.sep}node_modules${path.sep}`)) return undefined;
      // Where there is no choice the bundler finds the source itself. For what a plugin finds it leaves tsconfig.json out, so a
      // file reached both ways would be bundled with or without it, as it happens, and its build have another id.
      const noChoice = /\.[mc]?tsx?$/.test(importer) && !(await exists(path.resolve(resolveDir, request)));
      if (noChoice) return undefined;
      const source = path.resolve(resolveDir, request.replace(/js$/, 'ts'));
      return (await exists(source)) ? { path: source } : undefined;
    });
  },
};

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
