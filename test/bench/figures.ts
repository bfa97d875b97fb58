export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** `+4 %`, `−12 %`, `0 %`. */
export function signedPercent(share: number): string {
  const value = Math.round(share * 100);
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value)} %`;
}

/** The value below which `part` of all lie: the nearest, not one in between. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

/** Three digits that mean something: `0.163`, `13.8`, `1,250`; a dash for what is none. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '—';
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en');
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** The median, and between what half of all values lie. */
export function spread(values: readonly number[], factor = 1): string {
  if (values.length === 0) return '—';
  const scaled = values.map((value) => value * factor);
  const [low, high] = [quantile(scaled, 0.25), quantile(scaled, 0.75)];
  return `${digits(median(scaled))} (${digits(low)} to ${digits(high)})`;
}
