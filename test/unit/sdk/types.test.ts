import { readdirSync, readFileSync } from 'node:fs';
import { symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from '../../support/run-program.js';
import { temporaryFolder } from '../../support/temporary-folder.js';

jest.setTimeout(120_000);
const root = path.join(import.meta.dirname, '../../..');
const folder = path.join(root, 'test/types');
const files = readdirSync(folder).filter((file) => file.endsWith('.test-d.ts'));

/** What the compiler says of a project, a line each error. */
async function compilerErrors(project: string): Promise<readonly string[]> {
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  const { stdout } = await runProgram(process.execPath, [
    tsc,
    '--noEmit',
    '--pretty',
    'false',
    '-p',
    project,
  ]);
  return stdout.split('\n').filter((line) => /error TS\d+/.test(line));
}

test('an author`s mistakes are compile errors where the types say so, and nothing else is', async () => {
  expect(await compilerErrors(folder)).toEqual([]);
});

test('each of those mistakes is one indeed: without its mark the compiler complains on that very line', async () => {
  const copy = await temporaryFolder();
  await symlink(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
  await writeFile(path.join(copy, 'package.json'), '{"type":"module"}');
  await writeFile(path.join(copy, 'expect-type.ts'), readFileSync(path.join(folder, 'expect-type.ts')));
  const marked: string[] = [];
  for (const file of files) {
    const lines = readFileSync(path.join(folder, file), 'utf8').split('\n');
    lines.forEach((line, index) => {
      if (line.includes('@ts-expect-error')) marked.push(`${file}(${index + 2}`);
    });
    await writeFile(path.join(copy, file), lines.join('\n').replaceAll('@ts-expect-error', ''));
  }
  const options = { noEmit: true, declaration: false, sourceMap: false, types: ['node'], rootDir: '/' };
  const config = {
    extends: path.join(root, 'tsconfig.json'),
    compilerOptions: options,
    include: ['*.ts'],
    exclude: [],
  };
  await writeFile(path.join(copy, 'tsconfig.json'), JSON.stringify(config));
  const found = (await compilerErrors(copy)).map((line) => path.basename(line.split(',')[0]!));
  expect(marked.length).toBeGreaterThan(30);
  expect([...new Set(found)].sort()).toEqual(marked.sort());
});
