import assert from 'node:assert';
import { AsyncLocalStorage } from 'node:async_hooks';
import { createContext, runInContext } from 'node:vm';
import { PipelineUsesNode } from '../../sdk/errors.js';

/** What Temporal's sandbox offers beside the language itself. */
const offered = {
  URL,
  URLSearchParams,
  TextEncoder,
  TextDecoder,
  AbortController,
  AsyncLocalStorage,
  assert,
  console,
  setTimeout,
  clearTimeout,
};

/**
 * Loads the pipelines once as the sandbox will, without Node's globals. Code that fails there while it is loaded would fail
 * every task of every run, which Temporal then tries for ever.
 * @throws PipelineUsesNode with the sandbox's own words
 */
export function checkSandboxLoad(pipelinesCode: string): void {
  const context = createContext({ ...offered, module: { exports: {} }, exports: {} });
  try {
    runInContext(`(() => {${pipelinesCode}\n})()`, context, { filename: 'pipelines' });
  } catch (error) {
    const { name = 'Error', message = String(error) } = (error ?? {}) as {
      readonly name?: string;
      readonly message?: string;
    };
    if (name !== 'ReferenceError') return;
    throw new PipelineUsesNode(`A file that Temporal replays fails while it is loaded: ${message}.`, {
      hint: 'Node globals such as `process` are not there: read them in a step, or pass them as input.',
      fields: { message },
    });
  }
}
