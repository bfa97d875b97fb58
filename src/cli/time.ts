import { formatDuration } from '../lib/duration.ts';

const two = (value: number): string => String(value).padStart(2, '0');

const dateOf = (at: Date): string => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
const clockOf = (at: Date): string => `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;

/** Local time: `03:22:44` today, `2026-11-24 03:22:44` on any other day. */
export function clockTime(instant: string, now: number): string {
  const at = new Date(instant);
  return dateOf(at) === dateOf(new Date(now)) ? clockOf(at) : fullTime(instant);
}

/** Local time with its date, for output that is kept. */
export function fullTime(instant: string): string {
  const at = new Date(instant);
  return `${dateOf(at)} ${clockOf(at)}`;
}

/** `9m 12s`, `2h 5m`, `3d 4h`: two units at most. */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first === -1) return '0s';
  const shown = parts.slice(first, first + 2).filter(([value]) => value > 0);
  return shown.map(([value, unit]) => `${value}${unit}`).join(' ');
}

export function left(instant: string, now: number): string {
  return countdown(Date.parse(instant) - now);
}

/** The time between two instants as somebody would have written it: `10m`. */
export function span(from: string, to: string): string {
  return formatDuration(Math.round((Date.parse(to) - Date.parse(from)) / 1000) * 1000);
}
