import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as sdk from '../../../sdk/index.js';

const page = readFileSync(path.join(import.meta.dirname, '../../../docs/sdk.md'), 'utf8');
/** Words of prose are no mention: `file`, `step` and `warn` are English too. */
const code = [...page.matchAll(/```ts\n[^]*?```|`[^`\n]+`/g)]
  .map(([text]) => text.replaceAll(/\/\/.*$/gm, '').replaceAll(/'[^'\n]*'/g, ''))
  .join('\n');

test.each(Object.keys(sdk))('the page of the SDK names %s in its code', (name) => {
  const used = /^[A-Z]/.test(name) ? String.raw`\b${name}\b` : String.raw`(?<!\.)\b${name}\(`;
  expect(code).toMatch(new RegExp(used));
});
