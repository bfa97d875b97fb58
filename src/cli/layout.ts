import type { Look } from './look.ts';

/** Text that may be said in fewer words where there is no room: the first that fits is taken. */
export interface Cell {
  readonly texts: readonly [string, ...string[]];
  readonly paint?: ((text: string) => string) | undefined;
}

export interface Column {
  readonly title: string;
  readonly align?: 'right';
  /** May be narrowed to this where the line is too long. */
  readonly least?: number;
  /** The last column only: what does not fit goes on in the next line. */
  readonly wraps?: true;
}

const GAP = 2;

/**
 * A table without lines, a line for each row (and the head) but where the last column wraps; at most as wide as the
 * look allows, as far as columns may be narrowed.
 */
export function layout(columns: readonly Column[], rows: readonly (readonly Cell[])[], look: Look): string[] {
  const widths = fit(
    columns,
    columns.map((column, at) =>
      Math.max(column.title.length, ...rows.map((row) => row[at]?.texts[0].length ?? 0)),
    ),
    look.width,
  );
  const head = columns.map((column): Cell => ({ texts: [column.title], paint: look.colors.dim }));
  return [head, ...rows].flatMap((row) => lines(columns, row, widths, look));
}

/** Takes what is too much from the last columns first. */
function fit(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  let surplus = natural.reduce((sum, each) => sum + each, GAP * (natural.length - 1)) - width;
  const widths = [...natural];
  for (let at = columns.length - 1; at >= 0 && surplus > 0; at--) {
    const wide = widths[at] ?? 0;
    const narrowed = Math.max(wide - surplus, Math.min(columns[at]?.least ?? wide, wide));
    surplus -= wide - narrowed;
    widths[at] = narrowed;
  }
  return widths;
}

function lines(
  columns: readonly Column[],
  row: readonly Cell[],
  widths: readonly number[],
  look: Look,
): string[] {
  const last = columns.length - 1;
  const [first = '', ...more] =
    columns[last]?.wraps === true ? wrapTo(row[last]?.texts[0] ?? '', widths[last] ?? 0) : [];
  const cells = row.map((cell, at) => {
    if (columns[at]?.wraps === true) return (cell.paint ?? String)(first);
    return place(columns[at], cell, widths[at] ?? 0, look);
  });
  const indent = widths.slice(0, last).reduce((sum, width) => sum + width + GAP, 0);
  const paint = row[last]?.paint ?? String;
  return [cells.join(' '.repeat(GAP)).trimEnd(), ...more.map((text) => ' '.repeat(indent) + paint(text))];
}

function place(column: Column | undefined, cell: Cell, width: number, look: Look): string {
  const fitting = cell.texts.find((each) => each.length <= width);
  const text = fitting ?? cut(cell.texts.at(-1) ?? '', width, look);
  const space = ' '.repeat(Math.max(width - text.length, 0));
  const painted = text === '' ? '' : (cell.paint ?? String)(text);
  return column?.align === 'right' ? space + painted : painted + space;
}

export function cut(text: string, width: number, look: Look): string {
  if (text.length <= width) return text;
  return text.slice(0, Math.max(width - look.glyphs.ellipsis.length, 0)) + look.glyphs.ellipsis;
}

/** Breaks at spaces; lines after the first begin with `indent` spaces. A word that is too long stays whole. */
export function wrap(text: string, look: Look, indent = 0): string[] {
  return wrapTo(text, look.width, indent);
}

function wrapTo(text: string, width: number, indent = 0): string[] {
  const [first = '', ...words] = text.trimStart().split(' ');
  const lines = [' '.repeat(text.length - text.trimStart().length) + first];
  for (const word of words) {
    const current = lines.at(-1) ?? '';
    if (current.length + 1 + word.length > width) lines.push(' '.repeat(indent) + word);
    else lines[lines.length - 1] = `${current} ${word}`;
  }
  return lines;
}
