import type { Replacement, Span } from './parse-source.js';
import { parseSource } from './parse-source.js';

/** Options of a step that say how it is run, not what it gives. */
const runOptions: ReadonlySet<string> = new Set([
  'resources',
  'timeout',
  'retry',
  'stopGrace',
  'onFailure',
  'cache',
  'checkpoint',
]);

type Node = { readonly type?: string; readonly span?: Span } & Readonly<Record<string, unknown>>;

/**
 * A steps file's text without the options of its steps that cannot change an answer, where they are written in the call:
 * `step({ …, timeout: '2h' })`. Options that come from elsewhere stay, and count.
 */
export async function withoutRunOptions(text: string): Promise<string> {
  const { body, replace } = await parseSource(text);
  const names = stepNames(body as readonly Node[]);
  const found: Replacement[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (typeof value !== 'object' || value === null) return;
    const node = value as Node;
    if (node.type === 'CallExpression' && names.has(String((node['callee'] as Node)['value'])))
      found.push(...optionsToDrop(node));
    else Object.values(node).forEach(visit);
  };
  visit(body);
  return replace(found);
}

/** What the file calls `step` of this package. */
function stepNames(body: readonly Node[]): ReadonlySet<string> {
  const names = body
    .filter((item) => item.type === 'ImportDeclaration' && (item['source'] as Node)['value'] === 'millrace')
    .flatMap((item) => item['specifiers'] as readonly Node[])
    .filter((each) => ((each['imported'] ?? each['local']) as Node)['value'] === 'step')
    .map((each) => String((each['local'] as Node)['value']));
  return new Set(names);
}

function optionsToDrop(call: Node): readonly Replacement[] {
  const [first] = call['arguments'] as readonly { readonly expression: Node }[];
  const options = first?.expression;
  if (options?.type !== 'ObjectExpression' || !options.span) return [];
  const { end: close } = options.span;
  const properties = options['properties'] as readonly Node[];
  return properties.flatMap((property, index): readonly Replacement[] => {
    if (!runOptions.has(nameOf(property))) return [];
    // Up to what comes next, or to the closing brace: its comma goes along.
    const next = properties[index + 1];
    return [{ start: startOf(property), end: next ? startOf(next) : close - 1, by: () => '' }];
  });
}

/** Of `name: value` and of the short form `name`. */
function nameOf({ type, key, value }: Node): string {
  if (type === 'KeyValueProperty') return String((key as Node)['value']);
  return type === 'Identifier' ? String(value) : '';
}

const startOf = ({ span, key, spread }: Node): number =>
  (span ?? (key as Node | undefined)?.span ?? (spread as Span)).start;
