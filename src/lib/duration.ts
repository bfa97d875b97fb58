const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION = /^(0|[1-9]\d{0,9})(ms|s|m|h|d)$/;

/** `500ms`, `30s`, `5m`, `2h`, `7d` in milliseconds; null where the text is none. */
export function parseDuration(text: string): number | null {
  const match = DURATION.exec(text);
  const unit = UNITS[match?.[2] ?? ''];
  return match === null || unit === undefined ? null : Number(match[1]) * unit;
}

/** The shortest spelling that says it exactly. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const size = UNITS[unit] ?? 1;
    if (ms !== 0 && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

/**
 * The longest that the kernel keeps a set's element for: ipset's timeouts are 32 bits of milliseconds
 * (IPSET_MAX_TIMEOUT, linux/netfilter/ipset/ip_set_timeout.h: UINT_MAX >> 1, in seconds).
 */
export const LONGEST_TIMEOUT = 2_147_483_000;
