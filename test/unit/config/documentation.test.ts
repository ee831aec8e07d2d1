import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../../config/package-root.js';

test('docs/configuration.md lists each setting that is read, with its variable', async () => {
  const source = await readFile(join(packageRoot(), 'config/load-config.ts'), 'utf8');
  const documentation = await readFile(join(packageRoot(), 'docs/configuration.md'), 'utf8');
  const read = [...source.matchAll(/\bread\(\s*'([\w.]+)',\s*'(\w+)'/g)];
  expect(read).toHaveLength(34);
  const missing = read.filter(
    ([, setting, variable]) => !documentation.match(new RegExp(`\\| \`${setting}\` +\\| \`${variable}\` `)),
  );
  expect(missing.map(([, setting]) => setting)).toEqual([]);
});
