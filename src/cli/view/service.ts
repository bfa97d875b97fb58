import type { DomuView, ServiceView } from '../../api/contract.ts';
import type { Look } from '../look.ts';
import { clockTime, left } from '../time.ts';
import { count, list } from '../words.ts';

type Role = ServiceView['live'];
type Health = DomuView['health'];

export interface Seat extends DomuView {
  readonly role: Role;
}

export function liveOf(view: ServiceView): Seat {
  return { ...view[view.live], role: view.live };
}

export function darkOf(view: ServiceView): Seat {
  const role = view.live === 'primary' ? 'secondary' : 'primary';
  return { ...view[role], role };
}

export function markOf(health: Health, look: Look): string {
  return look.glyphs[health];
}

export function paintHealth(health: Health, look: Look): (text: string) => string {
  const { green, yellow, red, dim } = look.colors;
  return { healthy: green, degraded: yellow, unhealthy: red, unknown: dim }[health];
}

export function stateText(view: ServiceView): string {
  if (!view.held) return view.phase;
  return view.phase === 'settled' ? 'held' : `${view.phase}, held`;
}

/** Longest first: with the testers' sources, with their number, in few letters. */
export function testingTexts({ testing, testers }: ServiceView): [string, ...string[]] {
  if (testing === 'closed') return ['closed'];
  if (testers.length === 0) return ['open: no testers', 'open: 0'];
  const sources = testers.map(({ source }) => source);
  const some = (most: number): string =>
    `open: ${sources.slice(0, most).join(', ')}${sources.length > most ? ` +${sources.length - most}` : ''}`;
  return [some(4), some(2), some(1), `open: ${count(sources.length, 'tester')}`, `open: ${sources.length}`];
}

/** `trial: back to mail-a in 9m 12s, at 03:22:44`. */
export function trialText(view: ServiceView, now: number): string {
  const until = view.switch?.confirmBy ?? null;
  const back = darkOf(view).domu;
  if (until === null) return `trial: no time limit, back to ${back} only by a rollback`;
  return `trial: back to ${back} in ${left(until, now)}, at ${clockTime(until, now)}`;
}

/** What an operator must know of it beyond the columns, one sentence each; none where all is well. */
export function notesOf(view: ServiceView, now: number): string[] {
  const notes: string[] = [];
  const others = view.switch?.services.filter((name) => name !== view.name) ?? [];
  if (view.phase === 'trial') {
    notes.push(trialText(view, now) + (others.length > 0 ? ` (together with ${list(others, 4)})` : ''));
  }
  if (view.held) notes.push(heldText(view, now));
  if (view.draining !== null) notes.push(`draining: ${drainText(view.draining, now)}`);
  for (const { domu, health, healthReason } of [liveOf(view), darkOf(view)]) {
    if (health === 'healthy' || (health === 'unknown' && healthReason === null)) continue;
    notes.push(`${domu}: ${health}${healthReason === null ? '' : `, ${healthReason}`}`);
  }
  return notes;
}

export function heldText({ heldUntil }: ServiceView, now: number): string {
  if (heldUntil === null) return 'held: packets wait';
  return `held: packets wait ${left(heldUntil, now)} more, until ${clockTime(heldUntil, now)}`;
}

/** `3 flows on mail-a, until 03:14:05 (in 4m 12s)`. */
function drainText({ domu, flows, until }: NonNullable<ServiceView['draining']>, now: number): string {
  const end = until === null ? 'until they end' : `until ${clockTime(until, now)} (in ${left(until, now)})`;
  return `${count(flows, 'flow')} on ${domu}, ${end}`;
}

/** A note's colour says what it is about. */
export function paintNote(note: string, look: Look): (text: string) => string {
  const { yellow, magenta, red, cyan } = look.colors;
  if (note.startsWith('trial')) return yellow;
  if (note.startsWith('draining')) return cyan;
  return note.startsWith('held') ? magenta : red;
}
