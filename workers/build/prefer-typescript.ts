import { access } from 'node:fs/promises';
import path from 'node:path';
import type { Plugin } from 'esbuild';

/** `./x.js` is x.ts where that stands beside: what a compiler emitted earlier is not what the author edits. */
export const preferTypescript: Plugin = {
  name: 'millrace-prefer-typescript',
  setup(build) {
    build.onResolve({ filter: /^\.{1,2}\/.*\.[mc]?js$/ }, async ({ path: request, resolveDir }) => {
      // Packages mean what they say.
      if (resolveDir.includes(`${path.sep}node_modules${path.sep}`)) return undefined;
      const source = path.resolve(resolveDir, request.replace(/js$/, 'ts'));
      return access(source).then(
        () => ({ path: source }),
        () => undefined,
      );
    });
  },
};
