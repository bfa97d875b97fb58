import type { CapacityView } from '../../api/contract.ts';
import { coresLeft } from '../../capacity/host-load.ts';
import { nanosOf } from '../../capacity/routing-cost.ts';
import type { Cell, Column } from '../layout.ts';
import { layout, wrap } from '../layout.ts';
import type { Look } from '../look.ts';
import type { KnownCost } from '../routing-cost.ts';
import { about, cores, percent, whole } from './cores.ts';

type Domu = CapacityView['domus'][number];

/** What this host does now, and what it could carry more. */
export function headroomLines(view: CapacityView, known: KnownCost, reserve: number, look: Look): string[] {
  const { dim } = look.colors;
  const text = (sentence: string): string[] => wrap(sentence, look);
  return [
    ...text(`This host: ${view.cores} cores, looked at for ${view.seconds.toFixed(1)} s. In cores:`),
    ...layout(USE, [useRow(view, look)], look),
    ...(view.domus.length === 0 ? [] : ['', ...layout(columnsOf(known), domuRows(view, known, look), look)]),
    '',
    ...text(leftText(view, known, reserve)),
    ...text(`The cost of a packet is ${known.origin}.`).map(dim),
  ];
}

const USE: readonly Column[] = ['IDLE', 'USER', 'SYSTEM', 'IRQ', 'SOFTIRQ', 'STEAL', 'IOWAIT'].map(
  (title) => ({
    title,
    align: 'right',
  }),
);

function useRow({ cpu }: CapacityView, look: Look): Cell[] {
  const { user, nice, guest, system, irq, soft, steal, iowait } = cpu;
  return [
    { texts: [cores(cpu.idle)], paint: look.colors.bold },
    ...[user + nice + guest, system, irq, soft, steal, iowait].map((each): Cell => ({
      texts: [cores(each)],
    })),
  ];
}

/** What a packet costs is shown only where it was found out for each DomU. */
const columnsOf = ({ flows }: KnownCost): Column[] => [
  { title: 'SERVICE' },
  { title: 'DOMU', least: 8 },
  { title: 'ROLE' },
  { title: 'PACKETS/S IN', align: 'right' },
  { title: 'OUT', align: 'right' },
  ...(flows.length === 0
    ? []
    : [
        { title: 'CORES', align: 'right' as const },
        { title: 'OF IT DIRECTING', align: 'right' as const },
      ]),
];

function domuRows(view: CapacityView, { flows }: KnownCost, look: Look): Cell[][] {
  const { bold, dim } = look.colors;
  return view.domus.map((domu) => {
    const own = flows.filter((flow) => flow.domu === domu.domu);
    const share = (of: 'cpuShare' | 'overheadShare'): string =>
      own.reduce((sum, flow) => sum + flow[of], 0).toFixed(3);
    const cells: Cell[] = [
      { texts: [domu.service], paint: bold },
      { texts: [domu.domu] },
      { texts: [domu.role], paint: dim },
      rate(domu, 'packetsIn'),
      rate(domu, 'packetsOut'),
    ];
    if (flows.length === 0) return cells;
    return [...cells, { texts: [share('cpuShare')] }, { texts: [share('overheadShare')] }];
  });
}

const rate = (domu: Domu, of: 'packetsIn' | 'packetsOut'): Cell => {
  const value = domu[of];
  return { texts: [value === null ? '-' : whole(value)] };
};

function leftText(view: CapacityView, { cost }: KnownCost, reserve: number): string {
  const left = coresLeft(view, reserve);
  if (left === 0)
    return `Nothing is left: less than the reserve of ${percent(reserve)} (${cores(view.cores * reserve)} cores) is free.`;
  const nanos = nanosOf(cost);
  return (
    `${cores(left)} cores are left beside a reserve of ${percent(reserve)}: enough to direct about ` +
    `${about((left * 1e9) / nanos)} packets/s more, at ${whole(nanos)} ns each ` +
    `(${whole(cost.bridgeNanos)} bridging, ${whole(cost.directingNanos)} directing).`
  );
}
