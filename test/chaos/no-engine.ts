import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** Why this machine cannot have a second Docker engine; undefined where it can. */
export function noEngine(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can start a second Docker engine';
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders.some((folder) => isExecutable(path.join(folder, 'dockerd')))
    ? undefined
    : 'there is no dockerd on PATH';
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
