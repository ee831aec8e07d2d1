import { createRequire } from 'node:module';
import path from 'node:path';

const extension = path.extname(import.meta.filename) === '.ts' ? '.ts' : '.js';
/** Folder of our own compiled or source files. */
export const ownRoot = path.resolve(import.meta.dirname, '../..');
const own = (file: string) => path.join(ownRoot, `${file}${extension}`);

/** Files of ours that generated entries import: sources under jest, compiled ones in the package. */
export const ownFiles = {
  sdk: own('sdk/index'),
  stepMain: own('sdk/node/step-main'),
  workflows: own('workflows/index'),
  stepProxy: own('workflows/step-proxy'),
} as const;

/** A package as the project sees it, else as we do. */
export function resolvePackage(name: string, projectDir: string): string {
  try {
    return createRequire(path.join(projectDir, 'package.json')).resolve(name);
  } catch {
    return createRequire(import.meta.filename).resolve(name);
  }
}
