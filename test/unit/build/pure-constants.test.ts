import { transform } from 'esbuild';
import fc from 'fast-check';
import { markConstantsPure } from '../../../workers/build/pure-constants.js';

/** What is left of a file when only `export`s named `keep` are used. */
async function kept(text: string): Promise<string> {
  const { code } = await transform(`${await markConstantsPure(text)}\nexport { keep };`, {
    loader: 'ts',
    treeShaking: true,
    legalComments: 'none',
    charset: 'utf8',
  });
  return code;
}

test.each([
  ['a call', 'make("gone")'],
  ['an object with calls in it', '{ gone: make() }'],
  ['a list with calls in it', '[make("gone")]'],
  ['an instance', 'new Thing("gone")'],
  ['a method of a result', 'make("gone").strict().optional()'],
  ['a property of a result', 'make("gone").shape'],
  ['a template text', '`gone ${make()}`'],
  ['a tagged text', 'sql`gone`'],
  ['a call with a cast', 'make("gone") as unknown as Thing'],
  ['a call that satisfies a type', '(make("gone")) satisfies Thing'],
  ['a call with an async function in it', 'step({}, async () => { await gone(); })'],
  ['a call with a generator in it', 'step({}, function* () { yield gone(); })'],
])('a constant that nobody uses goes: %s', async (_, expression) => {
  expect(await kept(`const unused = ${expression};\nconst keep = make("kept");`)).toBe(
    'const keep = /* @__PURE__ */ (() => make("kept"))();\nexport { keep };\n',
  );
});

test.each([
  ['nothing', ''],
  ['a comment', '// a comment\n'],
  ['a comment that is not ASCII', '/* é 漢字 🚂 */ '],
  ['several comments and blank lines', '\n\n// one\n/* two\n*/\n\n// three\n'],
  ['a byte order mark', '\uFEFF'],
  ['a byte order mark and a comment', '\uFEFF// é\n'],
  ['a line for the shell', '#!/usr/bin/env -S node\n'],
  ['a directive', '"use strict";\n'],
  ['an import of a type', "import type { Thing } from './thing.js';\n"],
  ['a function and a class', 'function f() { return "漢"; }\nclass C { static x = "é"; }\n'],
])('a constant is found after %s', async (_, before) => {
  const code = await kept(`${before}const unused = make("gone");\nconst keep = make("kept");`);
  expect(code).toContain('(() => make("kept"))()');
  expect(code).not.toContain('gone');
});

test('functions and classes keep the names that their constants give them', async () => {
  const text =
    'const keep = () => 1;\nconst other = (function () { return 2; }) as () => number;\nconst K = class {};';
  expect(await markConstantsPure(text)).toBe(text);
});

test('statements for their effects stay', async () => {
  expect(await kept('register("effect");\nconst keep = 1;')).toContain('register("effect")');
});

test('a file with nothing to mark is left as it is', async () => {
  for (const text of ['', '// only a comment', "export * from './other.js';\n", 'export let x = f();'])
    expect(await markConstantsPure(text)).toBe(text);
});

const words = fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => JSON.stringify(text));
const comments = fc
  .string({ unit: 'grapheme', maxLength: 12 })
  .map((text) => `/* ${text.replaceAll('*/', '')} */`);
const expressions = fc.oneof(
  words.map((text) => `make(${text})`),
  words.map((text) => `make(${text}, async () => { await make(${text}); })`),
  words,
  words.map((text) => `(() => ${text})`),
  words.map((text) => `[make(${text}), ${text}]`),
);

test('a marked file computes what the file computed, whatever texts and comments are in it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ comment: comments, expression: expressions, exported: fc.boolean() }), {
        minLength: 1,
        maxLength: 6,
      }),
      async (constants) => {
        const text = constants
          .map(
            ({ comment, expression, exported }, index) =>
              `${comment}${exported ? 'export ' : ''}const c${index} = ${comment}${expression}; ${comment}`,
          )
          .join('\n');
        expect(await evaluate(await markConstantsPure(text), constants.length)).toEqual(
          await evaluate(text, constants.length),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test('files parsed at the same time do not disturb each other', async () => {
  const texts = Array.from(
    { length: 20 },
    (_, index) => `${'// é\n'.repeat(index)}const c0 = make("${index}");`,
  );
  const marked = await Promise.all(texts.map(markConstantsPure));
  expect(marked).toEqual(texts.map((text) => text.replace(/make\(.*\)/, '/* @__PURE__ */ (() => ($&))()')));
});

/** Values of c0, c1, … with `make` giving its first argument back, functions called. */
async function evaluate(text: string, count: number): Promise<unknown> {
  const { code } = await transform(text, { loader: 'ts', format: 'cjs' });
  const names = Array.from({ length: count }, (_, index) => `c${index}`).join(', ');
  const run = new Function('make', 'module', 'exports', `${code}\nreturn [${names}];`) as (
    ...args: unknown[]
  ) => unknown[];
  const module = { exports: {} };
  return run((value: unknown) => ['made', value], module, module.exports).map((value) =>
    typeof value === 'function' ? (value as () => unknown)() : value,
  );
}
