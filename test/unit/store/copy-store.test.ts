import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { temporaryFolder } from '../../support/temporary-folder.js';
import type { CopyPlace } from './copy-store-contract.js';
import { copyStoreContract } from './copy-store-contract.js';

const folders: CopyPlace = {
  async fresh() {
    const root = await temporaryFolder();
    return {
      address: `file:${root}`,
      async corrupt(digest) {
        const blob = path.join(root, 'v1/blobs/sha256', digest.slice(7, 9), digest.slice(9));
        const { length } = await readFile(blob);
        await chmod(blob, 0o644);
        await writeFile(blob, '?'.repeat(length));
      },
    };
  },
};

copyStoreContract('folder to folder', folders, folders);
