import type { Config } from '../config/config.js';
import type { DebugTools } from '../debug/debug-tools.js';
import { findRecordedRun } from './find-run.js';

/** Opens the debug tools of the project of the current folder for a run of its catalog; no service is asked. @throws UnknownRun */
export async function withDebugTools<T>(
  run: string,
  use: (tools: DebugTools, run: string) => Promise<T>,
): Promise<T> {
  const { loadConfig } = await import('../config/load-config.js');
  const config = await loadConfig();
  const { openCatalog } = await import('../store/open-catalog.js');
  let id: string;
  {
    await using catalog = await openCatalog(config.catalog);
    id = await findRecordedRun(run, catalog);
  }
  return withTools(config, (tools) => use(tools, id));
}

/** The same for what is about all runs. */
export async function withProjectTools<T>(use: (tools: DebugTools) => Promise<T>): Promise<T> {
  const { loadConfig } = await import('../config/load-config.js');
  return withTools(await loadConfig(), use);
}

async function withTools<T>(config: Config, use: (tools: DebugTools) => Promise<T>): Promise<T> {
  const { createDebugTools } = await import('../debug/create-debug-tools.js');
  await using tools = await createDebugTools({ config });
  return await use(tools);
}
