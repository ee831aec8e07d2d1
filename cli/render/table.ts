import type { Style } from './styled-row.js';
import type { Row } from './styled-row.js';
import { padEnd, textWidth } from './text-width.js';

export type Cell = { readonly text: string; readonly style?: Style };

/** Rows of aligned columns under a dim head. */
export function tableRows(head: readonly string[], cells: readonly (readonly Cell[])[]): readonly Row[] {
  const rows = [head.map((text): Cell => ({ text, style: 'dim' })), ...cells];
  const widths = head.map((_, column) => Math.max(...rows.map((row) => textWidth(row[column]?.text ?? ''))));
  return rows.map((row) =>
    row.map((cell, column) => ({
      ...cell,
      text: column === row.length - 1 ? cell.text : padEnd(cell.text, (widths[column] ?? 0) + 2),
    })),
  );
}
