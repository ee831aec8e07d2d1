import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  containerPaths,
  contract,
  contractEnv,
  contractVersion,
  exitCodes,
  stepEvent,
} from '../../../sdk/step-contract.js';
import { describeWith } from '../../support/describe-with.js';
import { temporaryFolder } from '../../support/temporary-folder.js';
import { layOutStep, runAsStep } from '../../support/run-as-step.js';

const text = readFileSync(path.join(import.meta.dirname, '../../../docs/step-contract.md'), 'utf8');

function programs(language: 'sh' | 'python'): readonly string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(
    (match) => match[1] ?? '',
  );
}

describe('docs/step-contract.md', () => {
  test('names what the code names', () => {
    const names = [
      `# The step contract, version ${contractVersion}`,
      ...Object.values(contract).map((name) => `\`${name}`),
      ...Object.values(contractEnv).map((name) => `\`${name}\``),
      ...[containerPaths.folder, containerPaths.source, containerPaths.helper].map((name) => `\`${name}\``),
      ...Object.values(exitCodes).map((code) => `| \`${code}\``),
      ...stepEvent.options.map(({ shape }) => `| \`${shape.type.value}\``),
    ];
    expect(names.filter((name) => !text.includes(name))).toEqual([]);
  });

  test('shows programs of ten lines at most', () => {
    const shown = [...programs('sh'), ...programs('python')];
    expect(shown).toHaveLength(3);
    for (const program of shown) expect(program.trimEnd().split('\n').length).toBeLessThanOrEqual(10);
  });
});

describeWith({ python: true }, 'the programs of docs/step-contract.md', () => {
  test.each([
    ['shell', ['sh', '-c', programs('sh')[0] ?? '']],
    ['Python without the helper', ['python3', '-c', programs('python')[0] ?? '']],
    ['Python with the helper', ['python3', '-c', programs('python')[1] ?? '']],
  ])('follow the contract as they stand: %s', async (_, command) => {
    const root = await temporaryFolder();
    const table = path.join(root, 'table');
    await writeFile(table, 'c\na\nb\n');
    const folder = await layOutStep({
      folder: path.join(root, 'step'),
      values: { trees: 2 },
      artifacts: { table: ['dataset', table] },
    });
    const { exitCode, output, events } = await runAsStep(command, { folder });
    expect(exitCode).toBe(0);
    expect(output).toEqual({ auc: 0.81 });
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'metric', name: 'auc', value: 0.8, index: 1 }),
    );
    await expect(readFile(path.join(folder, 'out/model'), 'utf8')).resolves.toMatch(/^a\nb\n?$/);
  });
});
