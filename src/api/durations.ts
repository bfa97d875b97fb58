import { LONGEST_TIMEOUT, parseDuration } from '../lib/duration.ts';
import { Refusal } from '../lib/errors.ts';

/** Milliseconds of a duration that the kernel is to keep: more than none, and not longer than it can. */
export function keptDuration(text: string, field: string): number {
  const ms = boundedDuration(text, field);
  if (ms === 0) throw wrong(field, 'must be longer than none');
  return ms;
}

/** `never` is null; undefined stays so. */
export function keptOrNever(text: string | undefined, field: string): number | null | undefined {
  return text === undefined ? undefined : text === 'never' ? null : keptDuration(text, field);
}

export function boundedOrNever(text: string | undefined, field: string): number | null | undefined {
  return text === undefined ? undefined : text === 'never' ? null : boundedDuration(text, field);
}

function boundedDuration(text: string, field: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw wrong(field, 'is a whole number and ms, s, m, h or d, such as 30s');
  if (ms > LONGEST_TIMEOUT) throw wrong(field, 'is longer than the kernel can keep: at most 24d');
  return ms;
}

function wrong(field: string, message: string): Refusal {
  return new Refusal('invalid', `the duration in "${field}" ${message}`, {
    faults: [{ path: `/${field}`, message }],
  });
}
