import type { Colors } from '../output.js';
import { textWidth, truncate } from './text-width.js';

export type Style = 'plain' | 'dim' | 'bold' | 'red' | 'green' | 'yellow' | 'cyan';
export type Segment = { readonly text: string; readonly style?: Style };
/** A line of text in styles. Colours come last, so that widths are those of the text. */
export type Row = readonly Segment[];

/** The row, cut to a number of columns. */
export function fitRow(row: Row, columns: number): Row {
  const fitted: Segment[] = [];
  let left = columns;
  for (const segment of row) {
    const text = truncate(segment.text, left);
    if (text !== '') fitted.push({ ...segment, text });
    if (text !== segment.text) break;
    left -= textWidth(text);
  }
  return fitted;
}

export const paintRow = (row: Row, colors: Colors): string =>
  row
    .map(({ text, style = 'plain' }) => (style === 'plain' ? text : colors[style](text)))
    .join('')
    .trimEnd();

export const rowText = (row: Row): string => row.map(({ text }) => text).join('').trimEnd(); // prettier-ignore
