/**
 * fault: not fit, or dangerous, as it is. unknown: could not be looked at. warning: may be wanted, and has a price that
 * is told.
 */
export const GRADES = ['ok', 'warning', 'unknown', 'fault'] as const;
export type Grade = (typeof GRADES)[number];

/** Names of checks: labels of a metric, so they keep their meaning. */
export const CHECKS = [
  'config',
  'doctor',
  'node',
  'parts',
  'conntrack',
  'forwarding',
  'rp-filter',
  'bridge-netfilter',
  'iptables',
  'forward-chain',
  'firewalls',
  'links',
  'guests',
  'mtu',
  'duplicates',
  'clock',
  'store',
  'staging',
  'meter',
] as const;
export type CheckName = (typeof CHECKS)[number];

/** One thing that is so on this host. */
export interface Verdict {
  readonly grade: Grade;
  readonly what: string;
  /** Why it matters; lines. Null where nothing is to be said. */
  readonly why: string | null;
  /** A command line that mends it, or shows more; null where there is none. */
  readonly command: string | null;
}

export interface Finding extends Verdict {
  readonly check: CheckName;
}

export const ok = (what: string): Verdict => ({ grade: 'ok', what, why: null, command: null });

export const warning = (what: string, why: string, command: string | null = null): Verdict => ({
  grade: 'warning',
  what,
  why,
  command,
});

export const unknown = (what: string, why: string, command: string | null = null): Verdict => ({
  grade: 'unknown',
  what,
  why,
  command,
});

export const fault = (what: string, why: string, command: string | null = null): Verdict => ({
  grade: 'fault',
  what,
  why,
  command,
});

/** As a shell takes it for one word: names of chains may hold anything. */
export function word(text: string): string {
  return /^[A-Za-z0-9_./:=+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** `a, b, c and 4 more`. */
export function some(names: readonly string[], most = 4): string {
  if (names.length <= most) return names.join(', ');
  return `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}
