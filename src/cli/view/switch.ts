import type { ServiceView, SwitchView } from '../../api/contract.ts';
import type { Look } from '../look.ts';
import { clockTime, span } from '../time.ts';
import { count, list } from '../words.ts';
import { darkOf, liveOf } from './service.ts';

/** How many services of one switch get a line of their own. */
const MOST_LINES = 20;

/** What a switch did. `views` are its services after it; empty where they could not be had. */
export function switchText(
  done: SwitchView,
  views: readonly ServiceView[],
  look: Look,
  now: number,
): string[] {
  const since = done.committedAt === null ? '' : ` since ${clockTime(done.committedAt, now)}`;
  const flip = flipText(done, look);
  return [
    ...whoIsLive(done, views).map((text, at) => `${text}${since}${at === 0 ? flip : ''}`),
    ...flowTexts(done, views, now),
    ...trialText(done, now),
  ];
}

function whoIsLive(done: SwitchView, views: readonly ServiceView[]): string[] {
  const viewed = new Map(views.map((view) => [view.name, view]));
  const lines = done.services.slice(0, MOST_LINES).map((name) => {
    const view = viewed.get(name);
    return view === undefined ? `${name}: the ${done.to} is live` : `${name}: ${liveOf(view).domu} is live`;
  });
  const more = done.services.length - lines.length;
  return more > 0 ? [...lines, `and ${count(more, 'more service')}: the ${done.to} is live`] : lines;
}

/** ` (flipped in 38 µs, both families at once)`; empty where it was not measured. */
export function flipText(
  { kernel: { flipMicros, familySkewMicros }, services }: SwitchView,
  look: Look,
): string {
  if (flipMicros === null) return '';
  const micros = (value: number): string => `${Math.round(value)} ${look.glyphs.micro}`;
  const all = services.length > 1 ? `all ${services.length} flipped` : 'flipped';
  const skew =
    familySkewMicros === null
      ? ''
      : familySkewMicros === 0
        ? ', both families at once'
        : `, ${micros(familySkewMicros)} between the families`;
  return ` (${all} in ${micros(flipMicros)}${skew})`;
}

function flowTexts(done: SwitchView, views: readonly ServiceView[], now: number): string[] {
  const { kept, cut, udpFlushed } = done.flows;
  const first = views.length === 1 ? views[0] : undefined;
  const old = first === undefined ? 'the old DomUs' : darkOf(first).domu;
  const until =
    done.drainUntil === null
      ? 'until they end'
      : `until they end, at the latest ${clockTime(done.drainUntil, now)}`;
  const parts = [
    ...(kept > 0 ? [`${count(kept, 'connection')} ${kept === 1 ? 'stays' : 'stay'} on ${old} ${until}`] : []),
    ...(cut > 0 ? [`${count(cut, 'connection')} ${cut === 1 ? 'was' : 'were'} cut`] : []),
    ...(udpFlushed > 0 ? [`${count(udpFlushed, 'UDP flow')} moved`] : []),
  ];
  return [parts.length === 0 ? 'No connection was open.' : `${parts.join('; ')}.`];
}

function trialText(done: SwitchView, now: number): string[] {
  if (done.state !== 'trial') return [];
  const name = done.services[0] ?? '';
  if (done.confirmBy === null) {
    return [
      `On trial without a time limit: "director confirm ${name}" keeps it, "director rollback ${name}" goes back.`,
    ];
  }
  const within = done.committedAt === null ? '' : ` (${span(done.committedAt, done.confirmBy)})`;
  return [
    `On trial until ${clockTime(done.confirmBy, now)}${within}: "director confirm ${name}" keeps it; without it everybody goes back by itself.`,
  ];
}

/** What a confirm or a rollback did; `views` as above. */
export function endText(ended: SwitchView, views: readonly ServiceView[]): string[] {
  const names = list(ended.services);
  if (ended.state !== 'confirmed') {
    const live = views.map((view) => liveOf(view).domu);
    const where = live.length === 0 ? 'everybody is' : `${list(live)} ${live.length === 1 ? 'is' : 'are'}`;
    return [`${names}: rolled back, ${where} ${live.length === 0 ? 'where they were' : 'live'} again.`];
  }
  if (views.length === 0) return [`${names}: confirmed, the roles are exchanged.`];
  return [
    ...views
      .slice(0, MOST_LINES)
      .map(
        ({ name, primary, secondary }) =>
          `${name}: confirmed, ${primary.domu} is primary now, ${secondary.domu} secondary.`,
      ),
    ...(views.length > MOST_LINES ? [`and ${count(views.length - MOST_LINES, 'more service')}.`] : []),
    ...closedText(views),
  ];
}

function closedText(views: readonly ServiceView[]): string[] {
  const first = views.find(({ testing }) => testing === 'closed');
  if (first === undefined) return [];
  return [
    `Testing is closed; "director testing ${first.name} open" opens it when the next version is on ${first.secondary.domu}.`,
  ];
}
