import { z } from 'zod';
import { formatDuration, parseDuration } from '../lib/duration.ts';
import { nearest, unknownKey } from './nearest.ts';
import { listed, needsText, show, wrongKind } from './words.ts';

/** What zod tells of a value before it has words for it. */
interface RawIssue {
  readonly code?: string | undefined;
  readonly input?: unknown;
  readonly keys?: readonly string[] | undefined;
}

interface Notes {
  readonly description: string;
  readonly examples?: unknown[];
  readonly pattern?: string;
}

/** A mapping with exactly these keys. One line of the message of `unrecognized_keys` for each of them. */
export function mapping<Shape extends z.core.$ZodLooseShape>(shape: Shape, what: string) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: ({ code, input, keys }: RawIssue) =>
      code === 'unrecognized_keys'
        ? (keys ?? []).map((key) => unknownKey(key, known)).join('\n')
        : wrongKind(input, `${what}: a mapping with ${listed(known)}`),
  });
}

export function list<Item extends z.ZodType>(item: Item, what: string) {
  return z.array(item, { error: ({ input }: RawIssue) => wrongKind(input, what) });
}

/** Text that `parse` understands; `parse` answers a sentence where it does not. */
export function parsed<T extends object | number | null>(
  what: string,
  parse: (text: string) => T | string,
  notes: Notes,
  explain: (input: unknown, what: string) => string = needsText,
) {
  return z
    .string({ error: ({ input }: RawIssue) => explain(input, what) })
    .meta({ ...notes })
    .transform((text, context): T => {
      const result = parse(text);
      if (typeof result !== 'string') return result;
      context.issues.push({ code: 'custom', message: result, input: text });
      return z.NEVER;
    });
}

/** Text that stays as it is where `fault` finds nothing wrong with it. */
export function text(what: string, fault: (text: string) => string | null, notes: Notes) {
  return z
    .string({ error: ({ input }: RawIssue) => needsText(input, what) })
    .check((context) => {
      const message = fault(context.value);
      if (message !== null) context.issues.push({ code: 'custom', message, input: context.value });
    })
    .meta({ ...notes });
}

/** A name that is used for something in the kernel, or in records. */
export function named(pattern: RegExp, what: string, rule: string, notes: Notes) {
  const fault = (name: string) => (pattern.test(name) ? null : `${show(name)} is not ${what}; ${rule}`);
  return text(what, fault, { ...notes, pattern: pattern.source });
}

export const notAbsolute = (path: string): string | null => {
  if (!path.startsWith('/')) return `${show(path)} is relative; write an absolute path, beginning with /`;
  return path.includes('\0') ? `${show(path)} has a NUL in it, which no path can have` : null;
};

export const absolutePath = (what: string, description: string) => text(what, notAbsolute, { description });

export function oneOf<const Values extends readonly [string, ...string[]]>(values: Values, notes: Notes) {
  return z
    .enum(values, {
      error: ({ input }: RawIssue) => {
        const guess = typeof input === 'string' ? nearest(input, values) : null;
        return `${show(input)} is not ${listed(values, 'or')}${guess === null ? '' : `; did you mean "${guess}"?`}`;
      },
    })
    .meta({ ...notes });
}

const WORDS_OF_1_1: Readonly<Record<string, string>> = { yes: 'true', on: 'true', no: 'false', off: 'false' };

export function flag(notes: Notes) {
  return z
    .boolean({
      error: ({ input }: RawIssue) => {
        const meant = typeof input === 'string' ? WORDS_OF_1_1[input.toLowerCase()] : undefined;
        return `${show(input)} is not a boolean; write ${meant ?? 'true or false'}`;
      },
    })
    .meta({ ...notes });
}

export interface Bounds {
  readonly least: number;
  readonly most: number;
  /** Why it may not be longer, for people. */
  readonly because: string;
}

/** Milliseconds. */
export function duration(bounds: Bounds, notes: Notes) {
  const parse = (text: string) => boundedDuration(text, bounds);
  return parsed('a duration', parse, { ...notes, pattern: DURATION_PATTERN }, needsUnit);
}

/** Milliseconds, or null for `never`. */
export function durationOrNever(bounds: Bounds, notes: Notes) {
  const parse = (text: string) => (text === 'never' ? null : boundedDuration(text, bounds));
  return parsed(
    'a duration or never',
    parse,
    { ...notes, pattern: `^never$|${DURATION_PATTERN}` },
    needsUnit,
  );
}

const DURATION_PATTERN = '^(0|[1-9]\\d{0,9})(ms|s|m|h|d)$';

function boundedDuration(text: string, { least, most, because }: Bounds): number | string {
  const ms = parseDuration(text);
  if (ms === null) {
    return `${show(text)} is not a duration; write a whole number and ms, s, m, h or d, such as 500ms, 30s, 10m or 2h`;
  }
  if (ms < least) return `${show(text)} is too short; write ${formatDuration(least)} or more`;
  if (ms > most) return `${show(text)} is too long; write ${formatDuration(most)} or less (${because})`;
  return ms;
}

function needsUnit(input: unknown, what: string): string {
  if (typeof input !== 'number') return wrongKind(input, `${what}, such as 30s or 10m`);
  return `${input} needs its unit; write ${input}s for seconds or "${input}m" for minutes`;
}
