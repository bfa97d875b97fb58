/** C0 and C1 control characters, DEL, and what turns the direction of text (Unicode bidi controls); not the line feed. */
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** The same without C0, which JSON.stringify escapes itself. */
const UNSAFE_IN_JSON = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Reasons and notes come from others: nothing in them may command the terminal, or pretend to be a line of ours. */
export function clean(text: string, keepLines = false): string {
  const safe = text.replace(UNSAFE, '\ufffd');
  return keepLines ? safe : safe.replaceAll('\n', ' ');
}

/** The same value with every string in it cleaned. */
export function cleanDeep(value: unknown, keepLines = false): unknown {
  if (typeof value === 'string') return clean(value, keepLines);
  if (Array.isArray(value)) return value.map((item) => cleanDeep(item, keepLines));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cleanDeep(item, keepLines)]));
}

/** JSON text of the same value, with characters that a terminal would obey as `\u` escapes. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    UNSAFE_IN_JSON,
    (unsafe) => `\\u${unsafe.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
