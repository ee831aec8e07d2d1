import { parse } from '@swc/core';

type Span = { readonly start: number; readonly end: number };
type Declarator = { readonly init?: { readonly type: string; readonly span: Span } | null };
type Item = {
  readonly type: string;
  readonly span: Span;
  readonly declaration?: Item;
  readonly kind?: string;
  readonly declarations?: readonly Declarator[];
};

/**
 * A steps file's text with each top-level `const` marked as droppable when unused, so that the bundle of one step holds
 * neither its neighbours nor what only they need: a change of one step leaves the digests of the others alone.
 */
export async function markConstantsPure(text: string): Promise<string> {
  // A leading comment fixes where the parser's running offsets begin: spans count on from earlier parses of the process.
  const bytes = Buffer.from(text);
  const module = await parse(text, { syntax: 'typescript', target: 'es2022' });
  const items = module.body as unknown as readonly Item[];
  const base = module.span.start - leadingBytes(text);
  const edits: Span[] = items
    .map((item) => (item.type === 'ExportDeclaration' ? item.declaration : item))
    .filter((item) => item?.type === 'VariableDeclaration' && item.kind === 'const')
    .flatMap((item) => item?.declarations ?? [])
    .flatMap(({ init }) =>
      init && isCall(init.type) ? [{ start: init.span.start - base, end: init.span.end - base }] : [],
    )
    .filter(({ start, end }) => !/\b(await|yield)\b/.test(bytes.subarray(start, end).toString()));
  let marked = '';
  let position = 0;
  for (const { start, end } of edits) {
    marked += `${bytes.subarray(position, start).toString()}/* @__PURE__ */ (() => (${bytes.subarray(start, end).toString()}))()`;
    position = end;
  }
  return marked + bytes.subarray(position).toString();
}

const isCall = (type: string): boolean => type === 'CallExpression' || type === 'NewExpression';

/** Bytes before the first token: the module's span begins at that token. */
function leadingBytes(text: string): number {
  const blank = /^(?:\s+|\/\/[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|#![^\n]*\n)*/.exec(text);
  return Buffer.byteLength(blank?.[0] ?? '');
}
