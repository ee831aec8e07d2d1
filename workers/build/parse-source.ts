import { parse } from '@swc/core';

/** Where a node stands, in the parser's own count; see `replace`. */
export type Span = { readonly start: number; readonly end: number };
export type Replacement = Span & {
  /** What stands there instead, made of what stood there. */
  readonly by: (text: string) => string;
};

export type ParsedSource = {
  /** Top-level nodes of the file. */
  readonly body: readonly unknown[];
  /** The text with parts of it replaced; in order, none inside another. */
  readonly replace: (replacements: readonly Replacement[]) => string;
};

/** Parses a TypeScript file so that parts of its text can be replaced. @throws what the parser says of a wrong one */
export async function parseSource(text: string): Promise<ParsedSource> {
  // The parser leaves a byte order mark out of its offsets; a line for the shell is only a comment here.
  const source = text.replace(/^\uFEFF/, '').replace(/^#!/, '//');
  const bytes = Buffer.from(source);
  // Offsets are bytes from a beginning that is not always the file's. A first token of ours says where it is.
  const module = await parse(`;${source}`, { syntax: 'typescript', target: 'es2022' });
  const base = module.span.start + 1;
  const textOf = ({ start, end }: Span) => bytes.subarray(start - base, end - base).toString();
  return {
    body: module.body,
    replace(replacements) {
      let result = '';
      let position = base;
      for (const { start, end, by } of replacements) {
        result += textOf({ start: position, end: start }) + by(textOf({ start, end }));
        position = end;
      }
      return result + textOf({ start: position, end: base + bytes.length });
    },
  };
}
