import { readdir } from 'node:fs/promises';
import path from 'node:path';

export const pipelineFile = /\.pipeline\.[mc]?ts$/;
export const stepsFile = /\.steps\.[mc]?ts$/;

export type ProjectFiles = { readonly pipelines: readonly string[]; readonly steps: readonly string[] };

/** The pipeline and steps files below a folder, absolute and sorted; dependencies, hidden and built folders are left out. */
export async function findProjectFiles(projectDir: string): Promise<ProjectFiles> {
  const found: string[] = [];
  await collect(projectDir, found);
  found.sort();
  return {
    pipelines: found.filter((file) => pipelineFile.test(file)),
    steps: found.filter((file) => stepsFile.test(file)),
  };
}

const skipped = new Set(['node_modules', 'dist', 'build', 'coverage']);

async function collect(folder: string, found: string[]): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!skipped.has(entry.name) && !entry.name.startsWith('.')) await collect(full, found);
    } else if (pipelineFile.test(entry.name) || stepsFile.test(entry.name)) found.push(full);
  }
}
