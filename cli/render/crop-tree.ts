import type { TreeRow } from './run-tree.js';
import type { Row } from './styled-row.js';

/**
 * The rows that fit into `max`: what is finished goes first, then what waits for room, then failures; what runs goes
 * last. One row says how many are left out.
 */
export function cropTree(rows: readonly TreeRow[], max: number): readonly Row[] {
  if (rows.length <= max) return rows.map(({ row }) => row);
  if (max < 2) return rows.slice(0, Math.max(0, max)).map(({ row }) => row);
  const excess = rows.length - (max - 1);
  const dropped = new Set(
    rows
      .map((row, index) => ({ index, rank: order.indexOf(row.about) }))
      .sort((a, b) => a.rank - b.rank || a.index - b.index)
      .slice(0, excess)
      .map(({ index }) => index),
  );
  return [
    ...rows.filter((_, index) => !dropped.has(index)).map(({ row }) => row),
    [{ text: `   … ${leftOut(rows.filter((_, index) => dropped.has(index)))}`, style: 'dim' }],
  ];
}

const order: readonly TreeRow['about'][] = ['closed', 'queued', 'failed', 'open', 'run'];
const words: Readonly<Record<TreeRow['about'], string>> = {
  closed: 'finished',
  queued: 'queued',
  failed: 'failed',
  open: 'running',
  run: 'run',
};

const leftOut = (rows: readonly TreeRow[]): string =>
  order
    .map((about) => ({ about, count: rows.filter((row) => row.about === about).length }))
    .filter(({ count }) => count > 0)
    .map(({ about, count }) => `${count} more ${words[about]}`)
    .join(', ');
