import type { Config } from '../../config/config.js';

export type CheckStatus = 'ok' | 'warn' | 'fail';

export type Finding = {
  readonly status: CheckStatus;
  /** What is there, in a few words. */
  readonly says: string;
  /** What to do about it; absent when all is well. */
  readonly todo?: string;
};

/** One thing that Millrace needs. A check that throws has failed, with the error's words. */
export type Check = {
  readonly name: string;
  readonly look: (config: Config) => Promise<Finding>;
};

export const ok = (says: string): Finding => ({ status: 'ok', says });
export const warn = (says: string, todo: string): Finding => ({ status: 'warn', says, todo });
export const fail = (says: string, todo: string): Finding => ({ status: 'fail', says, todo });
