/** Numbers and times as people read them; times in the reader's own zone. */
const whole = new Intl.NumberFormat('en');
export const number = (value: number): string => whole.format(value);

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${number(count)} ${count === 1 ? one : many}`;

const clockFormat = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short' });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });

const isSameDay = (a: Date, b: Date): boolean => a.toDateString() === b.toDateString();

/** `03:14:20`, with its day where that is not today. */
export function clock(time: string | number, today = new Date()): string {
  const date = new Date(time);
  const text = clockFormat.format(date);
  return isSameDay(date, today) ? text : `${dayFormat.format(date)}, ${text}`;
}

export const fullTime = (time: string | number): string => fullFormat.format(new Date(time));

/** `9:41`, `1:02:03`; what is past is `0:00`. Milliseconds. */
export function countdown(ms: number): string {
  const seconds = Math.max(Math.ceil(ms / 1000), 0);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** `10 minutes`, `1 hour 30 minutes`, `45 seconds`. Milliseconds. */
export function span(ms: number): string {
  const units = [
    [86_400_000, 'day'],
    [3_600_000, 'hour'],
    [60_000, 'minute'],
    [1000, 'second'],
  ] as const;
  let rest = Math.max(ms, 0);
  const parts: string[] = [];
  for (const [size, name] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(plural(count, name));
  }
  return parts.slice(0, 2).join(' ') || `${Math.round(ms)} ms`;
}

/** How long ago, roughly: `just now`, `3 min ago`. Milliseconds. */
export function ago(ms: number): string {
  if (ms < 10_000) return 'just now';
  if (ms < 90_000) return `${Math.round(ms / 1000)} s ago`;
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)} min ago`;
  return ms < 129_600_000 ? `${Math.round(ms / 3_600_000)} h ago` : `${Math.round(ms / 86_400_000)} days ago`;
}

/** Bits a second, from bytes a second. */
export function bits(bytesPerSecond: number): string {
  const value = bytesPerSecond * 8;
  const units = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s'];
  const power = value < 1 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), units.length - 1);
  const scaled = value / 1000 ** power;
  return `${scaled >= 100 || power === 0 ? Math.round(scaled) : scaled.toFixed(1)} ${units[power] ?? ''}`;
}

export function micros(value: number): string {
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} ms` : `${Math.round(value)} µs`;
}

/** Of one core: `0.42 %`. */
export function percent(share: number): string {
  const value = share * 100;
  if (value === 0) return '0 %';
  return `${value.toFixed(value < 0.1 ? 3 : value < 10 ? 2 : 1)} %`;
}

export const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

const FAULT = /^(\[[^\]]+\]:\d+|[\d.]+:\d+): (.+)$/;

/** What is wrong with a DomU's ports, each fault once with where it is; null where it is of another shape. */
function faultsOf(reason: string): ReadonlyMap<string, readonly string[]> | null {
  const found = new Map<string, string[]>();
  for (const part of reason.split('; ')) {
    const [, endpoint, fault] = FAULT.exec(part) ?? [];
    if (endpoint === undefined || fault === undefined) return null;
    found.set(fault, [...(found.get(fault) ?? []), endpoint]);
  }
  return found;
}

/** `no answer within 500 ms: 10.50.0.3:25, 10.50.0.3:993` */
export function allOfReason(reason: string): string {
  const faults = faultsOf(reason);
  if (faults === null) return reason;
  return [...faults].map(([fault, endpoints]) => `${fault}: ${endpoints.join(', ')}`).join('; ');
}

/** `no answer within 500 ms (2 ports)`; one port by its address. */
export function gistOfReason(reason: string): string {
  const faults = faultsOf(reason);
  if (faults === null) return reason;
  return [...faults]
    .map(([fault, endpoints]) =>
      endpoints.length === 1
        ? `${endpoints.join()}: ${fault}`
        : `${fault} (${number(endpoints.length)} ports)`,
    )
    .join('; ');
}

/** Who did it: a token's name, or one of the director's own words for those who have none. */
export function who(by: string): string {
  if (by === 'socket') return 'somebody on the host';
  if (by.startsWith('qa ')) return 'QA';
  return by === 'signal' ? 'a signal on the host' : by;
}

export const list = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;

/** Some by name, the others by number. */
export const shortList = (names: readonly string[], most = 4): string =>
  names.length <= most
    ? list(names)
    : `${names.slice(0, most - 1).join(', ')} and ${names.length - most + 1} more`;

const INSTANT = /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z/g;
/** The daemon's sentences name points in time in UTC. */
export const localTimes = (text: string): string => text.replaceAll(INSTANT, (instant) => clock(instant));
