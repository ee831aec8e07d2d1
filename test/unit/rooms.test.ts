import { readFileSync, readdirSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { parseSync } from '@swc/core';
import { packageRoot } from '../support/build-package.js';

/** Which rooms a room may import beside itself; its own `import type` counts like any other. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  sdk: [],
  config: ['sdk'],
  store: ['sdk'],
  workflows: ['sdk'],
  activities: ['sdk', 'store', 'config'],
  outbox: ['sdk', 'store'],
  notify: ['sdk', 'store', 'outbox'],
  lineage: ['sdk', 'store', 'outbox'],
  testing: ['sdk', 'workflows'],
  client: ['sdk', 'store', 'config', 'lineage', 'testing'],
  workers: ['sdk', 'workflows', 'activities', 'store', 'config', 'client', 'outbox', 'notify', 'lineage'],
  debug: ['sdk', 'config', 'store', 'workflows', 'activities', 'client', 'workers'],
  cli: ['sdk', 'config', 'store', 'workflows', 'activities', 'client', 'workers', 'lineage', 'debug'],
};

/** What Temporal replays, or may: no Node there. `sdk/node/` runs in the step's own process. */
const withoutNode = (file: string) => /^(sdk|workflows)\//.test(file) && !file.startsWith('sdk/node/');

/** One line for each import of `file` that goes against the rooms. */
function wrongImports(file: string, code: string): string[] {
  return importsOf(code).flatMap((specifier) => {
    const why = file.startsWith('examples/') ? wrongInExample(file, specifier) : wrongInRoom(file, specifier);
    return why ? [`${file} imports '${specifier}': ${why}`] : [];
  });
}

function wrongInRoom(file: string, specifier: string): string | undefined {
  const room = file.split('/')[0]!;
  if (specifier === 'millrace' || specifier.startsWith('millrace/'))
    return 'the package does not import itself by name';
  if (isBuiltin(specifier)) return withoutNode(file) ? 'no Node module enters this room' : undefined;
  if (!specifier.startsWith('.')) return undefined;
  const target = normalize(join(dirname(file), specifier)).split('/')[0]!;
  if (target === room || arrows[room]!.includes(target)) return undefined;
  // The package's own description belongs to nobody.
  if (target === 'package.json') return undefined;
  return `${room}/ may import ${arrows[room]!.map((name) => `${name}/`).join(', ') || 'nothing of ours'}, not ${target}/`;
}

function wrongInExample(file: string, specifier: string): string | undefined {
  if (specifier === 'millrace' || specifier.startsWith('millrace/') || specifier === 'zod') return undefined;
  if (isBuiltin(specifier)) {
    return file.endsWith('.steps.ts') ? undefined : 'only *.steps.ts may import Node modules';
  }
  const example = file.split('/').slice(0, 2).join('/');
  if (specifier.startsWith('.') && normalize(join(dirname(file), specifier)).startsWith(`${example}/`))
    return undefined;
  return "an example imports 'millrace', 'zod' and its own files, as a user's pipeline would";
}

function importsOf(code: string): string[] {
  const found: string[] = [];
  visit(parseSync(code, { syntax: 'typescript', target: 'es2022' }), found);
  return found;
}

type Literal = { readonly type?: string; readonly value?: unknown };
type Syntax = {
  readonly type?: string;
  readonly source?: Literal;
  readonly argument?: Literal;
  readonly callee?: { readonly type?: string; readonly value?: string };
  readonly arguments?: readonly { readonly expression?: Literal }[];
};

function visit(node: unknown, found: string[]): void {
  if (typeof node !== 'object' || node === null) return;
  const { type, source, argument, callee, arguments: given } = node as Syntax;
  if (type === 'ImportDeclaration' || type === 'ExportNamedDeclaration' || type === 'ExportAllDeclaration')
    add(source, found);
  if (type === 'TsImportType') add(argument, found);
  const loads = callee?.type === 'Import' || (callee?.type === 'Identifier' && callee.value === 'require');
  if (type === 'CallExpression' && loads) add(given?.[0]?.expression, found);
  for (const child of Object.values(node)) visit(child, found);
}

function add(literal: Literal | undefined, found: string[]): void {
  if (literal?.type === 'StringLiteral') found.push(String(literal.value));
}

function sources(room: string): string[] {
  return readdirSync(join(packageRoot, room), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/(^|\/)(node_modules|\.millrace)\//.test(file))
    .map((file) => `${room}/${file}`);
}

describe('the rooms', () => {
  test.each([...Object.keys(arrows), 'examples'])('%s/ imports only what it may', (room) => {
    const files = sources(room);
    expect(files).not.toEqual([]);
    expect(
      files.flatMap((file) => wrongImports(file, readFileSync(join(packageRoot, file), 'utf8'))),
    ).toEqual([]);
  });

  test.each([
    ['store/a.ts', "import { b } from '../activities/b.js';", 'store/ may import sdk/, not activities/'],
    ['sdk/a.ts', "import type { B } from '../store/b.js';", 'sdk/ may import nothing of ours, not store/'],
    ['sdk/a.ts', "export { b } from '../store/b.js';", 'sdk/ may import nothing of ours, not store/'],
    ['sdk/a.ts', "export * from '../store/b.js';", 'sdk/ may import nothing of ours, not store/'],
    ['sdk/a.ts', "type B = import('../store/b.js').B;", 'sdk/ may import nothing of ours, not store/'],
    ['sdk/a.ts', "const b = await import('../store/b.js');", 'sdk/ may import nothing of ours, not store/'],
    ['cli/a.ts', "import { b } from '../test/support/b.js';", 'not test/'],
    ['cli/a.ts', "import { b } from 'millrace';", 'the package does not import itself by name'],
    ['workflows/a.ts', "import { readFile } from 'fs/promises';", 'no Node module enters this room'],
    ['sdk/protocol/a.ts', "import 'node:fs';", 'no Node module enters this room'],
    ['examples/one/a.pipeline.ts', "import 'node:fs';", 'only *.steps.ts may import Node modules'],
    ['examples/one/a.steps.ts', "import { b } from '../../sdk/step.js';", 'an example imports'],
    ['examples/one/a.steps.ts', "import lodash from 'lodash';", 'an example imports'],
  ])('a wrong import is named: %s with %s', (file, code, why) => {
    const specifier = /'(.+)'/.exec(code)![1];
    expect(wrongImports(file, code)).toEqual([expect.stringContaining(`${file} imports '${specifier}': `)]);
    expect(wrongImports(file, code)[0]).toContain(why);
  });

  test.each([
    ['sdk/node/a.ts', "import 'node:fs';"],
    [
      'store/a.ts',
      "import { b } from '../sdk/b.js'; import { c } from './c.js'; import 'node:fs'; import 'kysely';",
    ],
    ['sdk/a.ts', "// import { b } from '../store/b.js';\nconst text = \"import '../store/b.js'\";"],
    [
      'examples/one/a.steps.ts',
      "import { step } from 'millrace'; import { z } from 'zod'; import 'node:fs'; import './b.js';",
    ],
  ])('a right import passes: %s with %s', (file, code) => {
    expect(wrongImports(file, code)).toEqual([]);
  });

  test('are each compiled into the package, and into the image of the worker', () => {
    const read = (file: string) => readFileSync(join(packageRoot, file), 'utf8');
    const { include } = JSON.parse(read('tsconfig.build.json')) as { include: readonly string[] };
    const ignored = read('.dockerignore').split('\n');
    for (const room of Object.keys(arrows)) {
      expect(include).toContain(room);
      expect(ignored).toContain(`!${room}`);
    }
  });
});
