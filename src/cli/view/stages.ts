import type { DomuRowView, StageView } from '../../api/contract.ts';
import { layout } from '../layout.ts';
import type { Column } from '../layout.ts';
import type { Look } from '../look.ts';
import { clockTime } from '../time.ts';

const STAGE_COLUMNS: readonly Column[] = [
  { title: 'STAGE' },
  { title: 'SERVICE' },
  { title: 'DOMU' },
  { title: 'FROM' },
  { title: 'STATE' },
  { title: 'SINCE' },
  { title: 'VOLUMES', least: 20, wraps: true },
];

/** A row each, in the order in which they came. */
export function stageTable(views: readonly StageView[], look: Look, now: number): string[] {
  const { dim, red, yellow } = look.colors;
  const rows = views.map((view) => {
    const paint = view.state === 'failed' ? red : view.state === 'gone' ? dim : String;
    const texts = [view.id, view.service, view.domu, view.from, view.state];
    const since = clockTime(view.endedAt ?? view.startedAt, now);
    const volumes = view.left.length > 0 ? `left: ${view.left.join('; ')}` : volumesText(view);
    return [
      ...texts.map((text) => ({ texts: [text] as const, paint })),
      { texts: [since] as const, paint: dim },
      { texts: [volumes] as const, paint: view.left.length > 0 ? yellow : dim },
    ];
  });
  return layout(STAGE_COLUMNS, rows, look);
}

const volumesText = ({ volumes }: StageView): string =>
  volumes
    .filter(({ isThere }) => isThere)
    .map(({ device, check }) => (check === null ? device : `${device} (${check.verdict})`))
    .join(' ');

const DOMU_COLUMNS: readonly Column[] = [
  { title: 'DOMU' },
  { title: 'SERVICE' },
  { title: 'ROLE' },
  { title: 'LIVE' },
  { title: 'STATE' },
  { title: 'DOMID', align: 'right' },
  { title: 'STAGE' },
];

export function domuTable(rows: readonly DomuRowView[], look: Look): string[] {
  const { bold, dim, red } = look.colors;
  return layout(
    DOMU_COLUMNS,
    rows.map(({ domu, service, role, live, state, domid, stage }) => [
      { texts: [domu] as const, paint: bold },
      { texts: [service] as const },
      { texts: [role] as const },
      { texts: [live ? 'live' : 'dark'] as const, paint: live ? String : dim },
      { texts: [state ?? 'not known'] as const, paint: state === 'running' ? String : red },
      { texts: [domid === null ? '' : String(domid)] as const },
      { texts: [stage ?? ''] as const, paint: dim },
    ]),
    look,
  );
}
