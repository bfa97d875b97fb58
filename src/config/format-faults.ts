import type { Fault } from '../lib/errors.ts';

/** `FILE:LINE:COL: PATH: message`, one a line, in the file's order; editors and terminals can jump to these. */
export function formatFaults(file: string, faults: readonly Fault[]): string {
  return faults
    .toSorted(byPlace)
    .map(({ path, message, line, column }) => {
      const place = [file, line, column].filter((part) => part !== undefined).join(':');
      return [place, path, message].filter((part) => part !== '').join(': ');
    })
    .join('\n');
}

export function byPlace(a: Fault, b: Fault): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}
