import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionIdentity } from './executor.js';
import type { OwnedFolder } from './owned-folder.js';
import { makeOwnedFolder } from './owned-folder.js';

/**
 * Where temporary folders of processes lie. Not in the state directory, whose path may be long: programs put sockets here, and
 * the path of one may have about 100 bytes.
 */
export const temporaryPrefix = (): string => path.join(tmpdir(), 'millrace-');

/** An attempt's own TMPDIR. */
export const makeTemporaryFolder = (identity: ExecutionIdentity): Promise<OwnedFolder> =>
  makeOwnedFolder(identity, { prefix: temporaryPrefix(), name: 't' });
