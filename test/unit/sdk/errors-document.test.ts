import { readFileSync } from 'node:fs';
import path from 'node:path';
import { errorCodes } from '../../../sdk/errors.js';
import { isRetryable } from '../../../sdk/protocol/failure.js';
import { rebuildError } from '../../../sdk/errors.js';

const page = readFileSync(path.join(import.meta.dirname, '../../../docs/errors.md'), 'utf8');
const rows = new Map(
  [...page.matchAll(/^\| `([A-Z_]+)`\s+\|.*\| ([^|]+?)\s*\|$/gm)].map(([, code = '', again = '']) => [
    code,
    again,
  ]),
);

test('the page of errors lists every code there is, and no other', () => {
  expect([...rows.keys()].sort()).toEqual(errorCodes());
});

test('the page says truly which errors are tried again', () => {
  for (const [code, again] of rows) {
    expect([code, again.startsWith('author') || again === 'ours']).toEqual([
      code,
      isRetryable(rebuildError(code, 'x', {})),
    ]);
  }
});
