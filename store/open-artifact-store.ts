import type { ArtifactStore } from './artifact-store.js';
import { openLocalArtifactStore } from './local-artifact-store.js';
import { pathOfUrl } from './store-url.js';

/**
 * Opens the store a URL names, creating it if need be.
 * @param url `file:<path>`
 * @throws ConfigInvalid for any other scheme
 */
export const openArtifactStore = async (url: string): Promise<ArtifactStore> =>
  openLocalArtifactStore(pathOfUrl(url, { scheme: 'file', option: 'store' }));
