import type { Connection } from '@temporalio/client';
import { searchAttributes } from '../sdk/protocol/names.js';

/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API. */
const keyword = 2;
const names: readonly string[] = Object.values(searchAttributes);
const usableWithinMs = 15_000;

/**
 * Adds Millrace's search attributes to the namespace where they are missing.
 * @returns what a person has to do where this is not allowed or an attribute has another type; undefined when all is well
 */
export async function ensureSearchAttributes(
  connection: Connection,
  namespace: string,
): Promise<string | undefined> {
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const wrong = names.filter((name) => (customAttributes[name] ?? keyword) !== keyword);
    if (wrong.length > 0)
      return `The search attributes ${wrong.join(', ')} of namespace ${namespace} are not of type Keyword: remove them there, or use a namespace of its own.`;
    const missing = names.filter((name) => customAttributes[name] === undefined);
    if (missing.length === 0) return undefined;
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, keyword])),
    });
    await usable(connection, namespace);
    return undefined;
  } catch (error) {
    const flags = names.map((name) => `--name ${name} --type Keyword`).join(' ');
    return `The search attributes ${names.join(', ')} of namespace ${namespace} could not be ensured (${reason(error)}): runs cannot start without them. Create them with \`temporal operator search-attribute create -n ${namespace} ${flags}\`.`;
  }
}

/** The service takes a while to know a new attribute, and refuses workflows that bear it until then. */
async function usable(connection: Connection, namespace: string): Promise<void> {
  const query = names.map((name) => `${name} = ''`).join(' AND ');
  for (const end = Date.now() + usableWithinMs; ;) {
    try {
      await connection.workflowService.countWorkflowExecutions({ namespace, query });
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

const reason = (error: unknown): string => {
  const { details, message } = error as { readonly details?: string; readonly message?: string };
  return details ?? message ?? String(error);
};
