import type { ServiceView } from '../../api/contract.ts';
import { layout, wrap } from '../layout.ts';
import type { Cell, Column } from '../layout.ts';
import type { Look } from '../look.ts';
import {
  darkOf,
  liveOf,
  markOf,
  notesOf,
  paintHealth,
  paintNote,
  stateText,
  testingTexts,
} from './service.ts';
import type { Seat } from './service.ts';

export const NO_SERVICES =
  'No services are defined yet: put one into the configuration file, then "director reload".';

const COLUMNS: readonly Column[] = [
  { title: 'SERVICE' },
  { title: 'STATE' },
  { title: 'LIVE', least: 9 },
  { title: 'ROLE' },
  { title: 'FLOWS', align: 'right' },
  { title: 'DARK', least: 9 },
  { title: 'FLOWS', align: 'right' },
  { title: 'TESTING', least: 8 },
];

/**
 * All services, in the order in which they came: a row each. On a terminal, notes stand below their row;
 * elsewhere they are the row's last column, so that one line has all of it.
 */
export function statusTable(views: readonly ServiceView[], look: Look, now: number): string[] {
  const inline = !look.tty;
  const columns = inline ? [...COLUMNS, { title: 'NOTES' }] : COLUMNS;
  const rows = views.map((view) => {
    const notes: Cell = { texts: [notesOf(view, now).join('; ')] };
    return inline ? [...row(view, look), notes] : row(view, look);
  });
  const [head = '', ...lines] = layout(columns, rows, look);
  if (inline) return [head, ...lines];
  const indent = Math.max(...views.map(({ name }) => name.length), 'SERVICE'.length) + 2;
  return [head, ...views.flatMap((view, at) => [lines[at] ?? '', ...noteLines(view, indent, look, now)])];
}

function row(view: ServiceView, look: Look): Cell[] {
  const { bold, dim, yellow, magenta } = look.colors;
  const live = liveOf(view);
  const dark = darkOf(view);
  const statePaint = view.held ? magenta : view.phase === 'trial' ? yellow : dim;
  return [
    { texts: [view.name], paint: bold },
    { texts: [stateText(view)], paint: statePaint },
    seatCell(live, look, bold),
    { texts: [live.role], paint: live.role === 'secondary' ? yellow : dim },
    { texts: [String(live.flows)] },
    seatCell(dark, look, String),
    { texts: [String(dark.flows)], paint: dark.flows === 0 ? dim : String },
    { texts: testingTexts(view), paint: view.testing === 'closed' ? dim : String },
  ];
}

/** A mark that reads without colour, then the name. */
function seatCell({ domu, health }: Seat, look: Look, paintName: (text: string) => string): Cell {
  const mark = markOf(health, look);
  return {
    texts: [`${mark} ${domu}`],
    paint: (text) =>
      paintHealth(health, look)(text.slice(0, mark.length)) + paintName(text.slice(mark.length)),
  };
}

function noteLines(view: ServiceView, indent: number, look: Look, now: number): string[] {
  const lead = `${' '.repeat(indent)}${look.glyphs.branch} `;
  return notesOf(view, now).flatMap((note) =>
    wrap(lead + note, look, lead.length).map((line, at) => {
      const paint = paintNote(note, look);
      return (at === 0 ? lead : ' '.repeat(lead.length)) + paint(line.slice(lead.length));
    }),
  );
}
