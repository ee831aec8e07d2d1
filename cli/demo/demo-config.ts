import path from 'node:path';
import type { Config } from '../../config/config.js';
import { loadConfig } from '../../config/load-config.js';
import { packageRoot } from '../../config/package-root.js';

/** The demo's project: part of the package. */
export const demoFolder = (): string => path.join(packageRoot(), 'examples', 'mortgage');

export const demoQueue = 'millrace-demo';

/**
 * The configuration of the current folder with the example as its project. Its queue is its own: the example's build is
 * never one that runs of the folder's own pipelines start on.
 */
export async function demoConfig(): Promise<Config> {
  return { ...(await loadConfig()), projectDir: demoFolder(), queue: demoQueue };
}
