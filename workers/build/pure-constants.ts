import type { Span } from './parse-source.js';
import { parseSource } from './parse-source.js';

type Expression = { readonly type: string; readonly span: Span; readonly expression?: Expression };
type Item = {
  readonly type: string;
  readonly span: Span;
  readonly declaration?: Item;
  readonly kind?: string;
  readonly declarations?: readonly { readonly init?: Expression | null }[];
};

/**
 * A steps file's text with each top-level `const` marked as droppable when unused, so that the bundle of one step does not
 * hold its neighbours: a change of one step leaves the digests of the others alone.
 */
export async function markConstantsPure(text: string): Promise<string> {
  const { body, replace } = await parseSource(text);
  const values = (body as readonly Item[])
    .map((item) => (item.type === 'ExportDeclaration' ? item.declaration : item))
    .filter((item) => item?.type === 'VariableDeclaration' && item.kind === 'const')
    .flatMap((item) => item?.declarations ?? [])
    .flatMap(({ init }) => (init && mayDoWork(init) ? [init.span] : []));
  return replace(
    values.map(({ start, end }) => ({
      start,
      end,
      by: (value) => `/* @__PURE__ */ (() => (${value}))()`,
    })),
  );
}

/** What the bundler drops by itself, and what gets its name from the constant, stays as it is. */
const plain = new Set([
  'ArrowFunctionExpression', 'FunctionExpression', 'ClassExpression', 'Identifier',
  'StringLiteral', 'NumericLiteral', 'BooleanLiteral', 'BigIntLiteral', 'NullLiteral', 'RegExpLiteral',
]); // prettier-ignore
const wrappers = new Set([
  'ParenthesisExpression', 'TsAsExpression', 'TsConstAssertion', 'TsSatisfiesExpression', 'TsNonNullExpression', 'TsTypeAssertion',
]); // prettier-ignore

function mayDoWork({ type, expression }: Expression): boolean {
  return wrappers.has(type) && expression ? mayDoWork(expression) : !plain.has(type);
}
