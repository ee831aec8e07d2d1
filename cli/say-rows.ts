import type { Output } from './output.js';
import type { Row } from './render/styled-row.js';
import { fitRow, paintRow } from './render/styled-row.js';

/** Says rows of text: cut to the terminal's width, in colours where it has them. */
export function sayRows(rows: readonly Row[], output: Output): void {
  const width = output.width();
  for (const row of rows) output.say(paintRow(width === undefined ? row : fitRow(row, width), output.colors));
}
