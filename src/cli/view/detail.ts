import type { JournalEntry, ServiceView } from '../../api/contract.ts';
import { wrap } from '../layout.ts';
import type { Look } from '../look.ts';
import { clockTime, left } from '../time.ts';
import { count } from '../words.ts';
import { journalLines } from './journal.ts';
import { flipText } from './switch.ts';
import { darkOf, liveOf, markOf, notesOf, paintHealth, paintNote, stateText } from './service.ts';
import type { Seat } from './service.ts';

const LABEL = 11;

/** One service, with everything that is known of it. `journal` is newest first. */
export function statusDetail(
  view: ServiceView,
  journal: readonly JournalEntry[],
  look: Look,
  now: number,
): string[] {
  const field = fieldWriter(look);
  const { bold, dim } = look.colors;
  return [
    `${bold(view.name)}  ${stateText(view)}`,
    ...notesOf(view, now).flatMap((note) => wrap(`  ${note}`, look, 4).map(paintNote(note, look))),
    '',
    ...seatLines('live', liveOf(view), look),
    ...seatLines('dark', darkOf(view), look),
    ...field('addresses', view.addresses.join(', ')),
    ...field('ports', view.ports.join(', ')),
    ...field('bridge', view.bridge),
    ...field('testing', view.testing),
    ...testerLines(view, look, now),
    ...trialLines(view, look, now),
    ...field(
      'defined',
      `${view.source === 'file' ? 'in the file' : 'over the API'}, generation ${view.generation}`,
    ),
    ...(journal.length === 0
      ? []
      : [
          '',
          dim('JOURNAL'),
          ...journalLines(journal.toReversed(), { ...look, width: look.width - 2 }, now).map(
            (line) => `  ${line}`,
          ),
        ]),
  ];
}

type FieldWriter = (label: string, text: string) => string[];

function fieldWriter(look: Look): FieldWriter {
  return (label, text) => {
    const head = `  ${label.padEnd(LABEL)}`;
    return wrap(head + text, look, head.length).map((line, at) =>
      at === 0 ? look.colors.dim(head) + line.slice(head.length) : line,
    );
  };
}

function seatLines(label: string, seat: Seat, look: Look): string[] {
  const { bold, dim } = look.colors;
  const mark = paintHealth(seat.health, look)(markOf(seat.health, look));
  const name = label === 'live' ? bold(seat.domu) : seat.domu;
  return [
    `  ${dim(label.padEnd(LABEL))}${mark} ${name} (${seat.role}), ${seat.health}, ${count(seat.flows, 'flow')}`,
    ...wrap(`${' '.repeat(LABEL + 4)}${seat.addresses.join(', ')}`, look, LABEL + 4),
    ...(seat.domain === null
      ? []
      : wrap(`${' '.repeat(LABEL + 4)}${domainText(seat.domain)}`, look, LABEL + 4)),
  ];
}

/** `domain mail-a (7), running`. */
function domainText({ name, domid, state }: NonNullable<Seat['domain']>): string {
  if (state === 'absent') return `domain ${name}: Xen has none`;
  return `domain ${name}${domid === null ? '' : ` (${domid})`}, ${state === 'unknown' ? 'Xen does not answer' : state}`;
}

function testerLines(view: ServiceView, look: Look, now: number): string[] {
  const width = Math.max(...view.testers.map(({ source }) => source.length), 0);
  return view.testers.map(({ source, kind, expiresAt, note }, at) => {
    const lease =
      expiresAt === null ? kind : `${left(expiresAt, now)} left, until ${clockTime(expiresAt, now)}`;
    const label = look.colors.dim((at === 0 ? 'testers' : '').padEnd(LABEL));
    return `  ${label}${source.padEnd(width)}  ${lease}${note === null ? '' : `  "${note}"`}`;
  });
}

function trialLines(view: ServiceView, look: Look, now: number): string[] {
  const trial = view.switch;
  if (trial === null) return [];
  const field = fieldWriter(look);
  const { cyan } = look.colors;
  const since = trial.committedAt === null ? '' : ` since ${clockTime(trial.committedAt, now)}`;
  const lead = ' '.repeat(LABEL + 2);
  const keep = `director confirm ${view.name}`;
  const back = `director rollback ${view.name}`;
  return [
    ...field('trial', `${trial.id}, by ${trial.by}${since}${flipText(trial, look)}`),
    ...(trial.reason === null ? [] : wrap(`${lead}reason: ${trial.reason}`, look, LABEL + 2)),
    `${lead}${cyan(keep)}   keeps ${liveOf(view).domu}`,
    `${lead}${cyan(back)}  goes back to ${darkOf(view).domu}`,
  ];
}
