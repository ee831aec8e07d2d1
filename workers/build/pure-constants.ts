import { parse } from '@swc/core';

type Span = { readonly start: number; readonly end: number };
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
  // The parser leaves a byte order mark out of its offsets; a line for the shell is only a comment here.
  const source = text.replace(/^\uFEFF/, '').replace(/^#!/, '//');
  const bytes = Buffer.from(source);
  // Offsets are bytes from a beginning that is not always the file's. A first token of ours says where it is.
  const module = await parse(`;${source}`, { syntax: 'typescript', target: 'es2022' });
  const base = module.span.start + 1;
  const edits = (module.body as unknown as readonly Item[])
    .map((item) => (item.type === 'ExportDeclaration' ? item.declaration : item))
    .filter((item) => item?.type === 'VariableDeclaration' && item.kind === 'const')
    .flatMap((item) => item?.declarations ?? [])
    .flatMap(({ init }) =>
      init && mayDoWork(init) ? [{ start: init.span.start - base, end: init.span.end - base }] : [],
    );
  let marked = '';
  let position = 0;
  for (const { start, end } of edits) {
    marked += `${bytes.subarray(position, start).toString()}/* @__PURE__ */ (() => (${bytes.subarray(start, end).toString()}))()`;
    position = end;
  }
  return marked + bytes.subarray(position).toString();
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
