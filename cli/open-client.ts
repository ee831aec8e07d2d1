import type { MillraceClient } from '../client/client.js';
import type { Config } from '../config/config.js';

export type OpenClient = { readonly client: MillraceClient; readonly config: Config };

/** Opens a client for the project of the current folder, hands it to `use` and closes it after. */
export async function withClient<T>(use: (open: OpenClient) => Promise<T>): Promise<T> {
  const { loadConfig } = await import('../config/load-config.js');
  const config = await loadConfig();
  const { createClient } = await import('../client/create-client.js');
  await using client = await createClient({ config });
  return await use({ client, config });
}
