import type { CpuFlowView, CpuView } from '../../api/contract.ts';
import { layout, wrap } from '../layout.ts';
import type { Cell, Column } from '../layout.ts';
import type { Look } from '../look.ts';
import { clockTime } from '../time.ts';
import { count } from '../words.ts';

const COLUMNS: readonly Column[] = [
  { title: 'SERVICE' },
  { title: 'DOMU', least: 9 },
  { title: 'ROLE', least: 4 },
  { title: 'IN/S', align: 'right' },
  { title: 'OUT/S', align: 'right' },
  { title: 'CPU', align: 'right' },
  { title: 'OVERHEAD', align: 'right' },
  { title: 'NS IN', align: 'right' },
  { title: 'NS OUT', align: 'right' },
];

/** Both directions of one DomU. */
interface Row {
  readonly service: string;
  readonly domu: string;
  readonly role: string;
  /** Null: nobody sees its packets. */
  readonly figures: { readonly in: CpuFlowView; readonly out: CpuFlowView } | null;
}

/** A row for each DomU, all of them together, and how it was measured. */
export function cpuLines(view: CpuView, look: Look, now: number): string[] {
  const rows = rowsOf(view);
  const table = rows.length === 0 ? [] : layout(COLUMNS, tableRows(rows, look), look);
  const notes = notesOf(view, now).flatMap((note) => wrap(note, look, 2));
  return [...table, ...(rows.length === 0 ? [] : ['']), ...notes.map(look.colors.dim)];
}

function tableRows(rows: readonly Row[], look: Look): Cell[][] {
  const cells = rows.map((row, at) => cellsOf(row, rows[at - 1]?.service !== row.service, look));
  return rows.length === 1 ? cells : [...cells, totalCells(rows, look)];
}

function rowsOf({ flows, unmeasured }: CpuView): Row[] {
  const found = new Map<string, Row>(
    [...flows, ...unmeasured].map(({ service, domu, role }) => [
      `${service} ${domu}`,
      { service, domu, role, figures: null },
    ]),
  );
  const seen = new Map(flows.map((flow) => [`${flow.service} ${flow.domu} ${flow.direction}`, flow]));
  const silent = new Set(unmeasured.map(({ service, domu }) => `${service} ${domu}`));
  const rows = [...found].map(([key, row]): Row => {
    const [towards, out] = [seen.get(`${key} in`), seen.get(`${key} out`)];
    if (towards === undefined || out === undefined || silent.has(key)) return row;
    return { ...row, figures: { in: towards, out } };
  });
  // Those of one service together, where the first of them is.
  const services = [...new Set(rows.map(({ service }) => service))];
  const at = new Map(services.map((service, n) => [service, n]));
  return rows.toSorted((a, b) => (at.get(a.service) ?? 0) - (at.get(b.service) ?? 0));
}

function cellsOf(row: Row, first: boolean, look: Look): Cell[] {
  const { bold, dim } = look.colors;
  const sum = sumOf([row]);
  const paint = sum.in + sum.out === 0 ? dim : String;
  // Elsewhere than on a terminal each line stands for itself.
  const service = first || !look.tty ? row.service : '';
  return [
    { texts: [service], paint: bold },
    { texts: [row.domu], paint },
    { texts: [row.role, row.role.slice(0, 3)], paint: dim },
    ...(row.figures === null ? NO_FIGURES : figures(sum, paint, bold)),
    { texts: [nanos(row.figures?.in.nanosPerPacket ?? null)], paint },
    { texts: [nanos(row.figures?.out.nanosPerPacket ?? null)], paint },
  ];
}

function totalCells(rows: readonly Row[], look: Look): Cell[] {
  const { bold } = look.colors;
  const blank: Cell = { texts: [''] };
  return [{ texts: ['all'], paint: bold }, blank, blank, ...figures(sumOf(rows), bold, bold), blank, blank];
}

const NO_FIGURES: readonly Cell[] = Array.from({ length: 4 }, () => ({ texts: ['-'] }));

interface Sum {
  readonly in: number;
  readonly out: number;
  readonly cpu: number;
  readonly overhead: number;
}

function sumOf(rows: readonly Row[]): Sum {
  const all = rows.flatMap(({ figures: each }) => each ?? []);
  const sum = (figure: (each: (typeof all)[number]) => number): number =>
    all.reduce((so, each) => so + figure(each), 0);
  return {
    in: sum((row) => row.in.packetsPerSecond),
    out: sum((row) => row.out.packetsPerSecond),
    cpu: sum((row) => row.in.cpuShare + row.out.cpuShare),
    overhead: sum((row) => row.in.overheadShare + row.out.overheadShare),
  };
}

type Paint = (text: string) => string;

function figures(sum: Sum, paint: Paint, strong: Paint): Cell[] {
  return [
    { texts: [whole(sum.in)], paint },
    { texts: [whole(sum.out)], paint },
    { texts: [percent(sum.cpu)], paint },
    { texts: [percent(sum.overhead)], paint: sum.overhead === 0 ? paint : strong },
  ];
}

function notesOf(view: CpuView, now: number): string[] {
  return [
    `Measured by ${HOW[view.mode]}.${view.why === '' ? '' : ` Why: ${view.why}.`}`,
    ...unmeasuredNotes(view),
    ...(view.mode === 'windows' || view.mode === 'always' ? [probeNote(view)] : []),
    ...(view.baseline === null ? [] : [baselineNote(view.baseline, now)]),
    ...(view.check === null ? [] : [checkNote(view.flows, view.check)]),
    ...netbackNotes(view),
  ];
}

const HOW: Readonly<Record<CpuView['mode'], string>> = {
  windows: 'timing packets at hooks for a moment in each interval',
  always: 'timing all packets at hooks that stay',
  sampler: 'sampling what the CPUs are at, shared out by packets',
  model: 'nothing: typical figures for the packets that were counted',
  off: 'nothing',
};

function probeNote({ probe }: CpuView): string {
  const clipped = probe.clipped === 0 ? '' : `, ${count(probe.clipped, 'interrupted one')} left out`;
  return `${whole(probe.samples)} packets were timed${clipped}; it took ${seconds(probe.costSeconds)} of CPU in all.`;
}

function baselineNote(baseline: NonNullable<CpuView['baseline']>, now: number): string {
  const { smallNanos, bulkNanos, measured, measuredAt } = baseline;
  const when = measured ? `measured here, ${clockTime(measuredAt, now)}` : 'a typical figure';
  return `A plain bridge takes ${whole(smallNanos)} ns for a small packet, ${whole(bulkNanos)} ns in bulk (${when}).`;
}

function checkNote(flows: readonly CpuFlowView[], check: NonNullable<CpuView['check']>): string {
  const told = flows.reduce((sum, { overheadSeconds }) => sum + overheadSeconds, 0);
  return `Overhead since the meter began: ${seconds(told)} of CPU; by sampling call chains, all namespaces of this host: ${seconds(check.overheadSeconds)}.`;
}

/** So many are told by name. */
const MOST_NAMES = 8;

function unmeasuredNotes({ unmeasured }: CpuView): string[] {
  const reasons = [...new Set(unmeasured.map(({ why }) => why))];
  return reasons.map((reason) => {
    const domus = unmeasured.filter(({ why }) => why === reason).map(({ domu }) => domu);
    const named = domus.slice(0, MOST_NAMES).join(', ');
    const more = domus.length > MOST_NAMES ? ` and ${domus.length - MOST_NAMES} more` : '';
    return `Not measured: ${named}${more} (${reason}).`;
  });
}

function netbackNotes({ netback }: CpuView): string[] {
  return netback.map(({ domu, seconds: took }) => `Netback's own threads for ${domu}: ${seconds(took)}.`);
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const nanos = (value: number | null): string => (value === null ? '-' : whole(value));
const seconds = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} s`;

/** Of one core. */
function percent(share: number): string {
  if (share === 0) return '0 %';
  const value = share * 100;
  return `${value.toFixed(value < 0.1 ? 3 : value < 10 ? 2 : 1)} %`;
}
