const SHOWN = 80;

/** A value as a reader of the file would recognise it. */
export function show(input: unknown): string {
  if (Array.isArray(input)) return 'a list';
  if (isMapping(input)) return 'a mapping';
  const text = typeof input === 'string' ? JSON.stringify(input) : String(input);
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}

export function isMapping(input: unknown): input is Readonly<Record<string, unknown>> {
  return typeof input === 'object' && input !== null && !Array.isArray(input);
}

/** What is wrong with a value that is not of the kind that `needed` describes. */
export function wrongKind(input: unknown, needed: string): string {
  if (input === undefined) return `is missing; what is needed is ${needed}`;
  if (input === null) return `has no value; what is needed is ${needed}`;
  return `${show(input)} is ${kindOf(input)}; what is needed is ${needed}`;
}

function kindOf(input: unknown): string {
  if (Array.isArray(input) || isMapping(input)) return 'not right here';
  if (typeof input === 'string') return 'text';
  return typeof input === 'boolean' ? 'true or false' : 'a number';
}

/**
 * Text is needed. YAML reads `123` as a number, and an unquoted address that ends in a colon (`2001:db8::`) as a
 * mapping: both need quotes.
 */
export function needsText(input: unknown, needed: string): string {
  if (typeof input === 'number' || typeof input === 'boolean') {
    return `${show(input)} is ${kindOf(input)}; what is needed is ${needed} (in quotes, if this is one)`;
  }
  const unquoted = unquotedAddress(input);
  return unquoted === null
    ? wrongKind(input, needed)
    : `was read as a mapping, because of its last colon; write it in quotes: "${unquoted}"`;
}

function unquotedAddress(input: unknown): string | null {
  if (!isMapping(input)) return null;
  const [entry, ...others] = Object.entries(input);
  if (entry === undefined || others.length > 0 || entry[1] !== null) return null;
  return /^[0-9a-f:]*:$/i.test(entry[0]) ? `${entry[0]}:` : null;
}

/** `a, b and c` */
export function listed(words: readonly string[], last = 'and'): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1) ?? ''}`;
}
