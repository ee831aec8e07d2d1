import { contractEnv, contractVersion } from '../../sdk/step-contract.js';
import type { Execution } from './executor.js';

export type SeenByProgram = { readonly folder: string; readonly helper: string };

/**
 * The environment a program gets whatever runs it: the contract's names, what Python needs to find the helper and to print at
 * once, and the declared variables, which win.
 */
export function contractEnvironment(
  { run, step, attempt, spec }: Execution,
  { folder, helper }: SeenByProgram,
  /** The image's own module path, which goes last. */
  modulePath?: string,
): Readonly<Record<string, string>> {
  const { PYTHONPATH: declaredPath = modulePath, ...declared } = spec.env;
  return {
    PYTHONUNBUFFERED: '1',
    ...declared,
    PYTHONPATH: [helper, declaredPath].filter(Boolean).join(':'),
    [contractEnv.version]: String(contractVersion),
    [contractEnv.folder]: folder,
    [contractEnv.run]: run,
    [contractEnv.step]: step,
    [contractEnv.attempt]: String(attempt),
  };
}
