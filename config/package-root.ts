import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

type Manifest = { readonly name?: unknown; readonly version?: unknown };

/** Absolute folder of Millrace's own package: the same from the sources and from `dist`. */
export const packageRoot = (): string => own().root;

/** Millrace's version, as in its package.json. */
export const packageVersion = (): string => own().version;

let found: { readonly root: string; readonly version: string } | undefined;

function own(): { readonly root: string; readonly version: string } {
  return (found ??= search(import.meta.dirname));
}

function search(folder: string): { readonly root: string; readonly version: string } {
  const manifest = readManifest(join(folder, 'package.json'));
  if (manifest?.name === 'millrace') return { root: folder, version: String(manifest.version) };
  if (dirname(folder) === folder) {
    throw new Error(
      `No package.json named millrace above ${import.meta.dirname}: the package is incomplete.`,
    );
  }
  return search(dirname(folder));
}

function readManifest(path: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  } catch {
    return undefined;
  }
}
