import { lineageTree } from '../../../cli/render/lineage-tree.js';
import { rowText } from '../../../cli/render/styled-row.js';
import { findNode } from '../../../lineage/find-node.js';
import type { LineageGraph } from '../../../lineage/graph.js';
import { lineageDot } from '../../../lineage/lineage-dot.js';
import { lineageMermaid } from '../../../lineage/lineage-mermaid.js';
import { traceLineage } from '../../../lineage/trace-lineage.js';
import { newCatalog } from '../client/catalog.js';
import { aRef, aRun, digest } from '../store/records.js';
import { call, recordScenario } from './scenario.js';

const nasty = `"]; x \\ <b>#quot;|{}\`\n[(\0\u{1b}[31m${'é'.repeat(3)}-->`;

async function drawn(what: string, direction: 'up' | 'down' = 'up'): Promise<LineageGraph> {
  const catalog = await newCatalog();
  await recordScenario(catalog);
  await catalog.insertRun(aRun({ id: 'nasty', input: {} }));
  const made = aRef({ digest: digest('9'), name: nasty });
  await call(catalog, { run: 'nasty', path: 'x', makes: [made], parameters: { text: nasty } });
  return traceLineage(await findNode(what, catalog), { catalog, direction });
}

test('the tree names each thing once in full, and points back to what stands above', async () => {
  const rows = lineageTree(await drawn('mortgage@champion')).map(rowText);
  expect(rows[0]).toMatch(/^mortgage@champion {2}version 1 since 2026-01-0\d /);
  expect(rows.filter((row) => row.includes('(see above)')).map((row) => row.replaceAll(/[│├└─ ]+/g, ' ').trim().split(' ').slice(0, 2).join(' ')).sort())
    .toEqual(['dataset table', 'model model', 'report report', 'report report']); // prettier-ignore
  const train = rows.find((row) => row.includes('step train'))!;
  expect(train).toContain(
    `run-1  image python:3.12-slim sha256:dddddddddddd  source sha256:bbbbbbbbbbbb  trees=100`,
  );
  expect(rows.find((row) => row.includes('approval release'))).toMatch(/approved {2}by ada, 2026-01-0\d .*"looks "good""/); // prettier-ignore
  expect(rows.find((row) => row.includes('gate quality: pass'))).toContain('auc 0.8 >= 0.75: pass');
  expect(rows.at(-1)).toMatch(/^ +(│ +)*└─ /);
});

test('the tree of many neighbours says how many are left out', async () => {
  const graph = await drawn('mortgage@champion');
  const rows = lineageTree({ ...graph, cut: { [graph.root]: 7 }, notes: ['There is more.'] }).map(rowText);
  expect(rows.slice(-2)).toEqual(['└─ … 7 more', 'There is more.']);
  expect(rows[1]).toMatch(/^├─ mortgage version 1/);
});

test('what a step named cannot break out of dot, mermaid or a terminal', async () => {
  const graph = await drawn('99999999');
  const dot = lineageDot(graph);
  for (const line of dot.split('\n').slice(3, -3))
    expect(line).toMatch(
      /^ {2}n\d+( -> n\d+)? \[label="(?:[^"\\]|\\.)*", (shape=\w+|fontsize=8)(, penwidth=2)?\];$/,
    );
  const mermaid = lineageMermaid(graph);
  for (const line of mermaid.split('\n').slice(1, -2))
    expect(line).toMatch(
      /^ {2}n\d+(?:[[({>]{1,2}"[^"<>`\\|{}[\]]*(?:<br\/>[^"<>`\\|{}[\]]*)*"[\])}]{1,2}| -->\|"[^"<>`\\|{}[\]]*"\| n\d+)$/,
    );
  expect(mermaid).toContain('#34;');
  expect(lineageTree(graph).map(rowText).join('')).not.toMatch(/\p{Cc}/u);
});
