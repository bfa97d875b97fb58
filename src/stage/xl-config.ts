import { DirectorError } from '../lib/errors.ts';

/** Numbers stay the text that they are. */
export type XlValue = string | readonly XlValue[];

/** One `KEY = VALUE` of a guest's configuration (xl.cfg(5)). */
export interface XlSetting {
  readonly key: string;
  /** `KEY += VALUE`: appended to what the key has already. */
  readonly appends: boolean;
  readonly value: XlValue;
  /** Where it stands: characters from the beginning, `to` not included. */
  readonly from: number;
  readonly to: number;
}

const BLANK = /[ \t\r]*/y;
/** Between the parts of a list: ends of lines and comments, too. */
const BLANK_IN_LIST = /(?:[ \t\r\n]|#[^\n]*)*/y;
/** Between settings. */
const BETWEEN = /(?:[ \t\r\n;]|#[^\n]*)*/y;
const KEY = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const NUMBER = /-?[0-9][0-9a-zA-Z]*/y;
/** Neither goes beyond its line; a backslash takes the special meaning of what follows it. */
const STRING = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/y;

/** All settings in their order. DirectorError with its line where the text is none that xl would read. */
export function parseXlConfig(text: string): XlSetting[] {
  const reader = new Reader(text);
  const settings: XlSetting[] = [];
  reader.take(BETWEEN);
  while (!reader.isAtEnd()) {
    settings.push(readSetting(reader));
    reader.take(BLANK);
    if (!reader.isAtEnd() && !/[\n;#]/.test(reader.next)) reader.fail('a new line or ;');
    reader.take(BETWEEN);
  }
  return settings;
}

/** What a key comes to: the last `=` counts, and every `+=` after it. Undefined where it is not there. */
export function valueOf(settings: readonly XlSetting[], key: string): XlValue | undefined {
  let value: XlValue | undefined;
  for (const setting of settings) {
    if (setting.key !== key) continue;
    value = setting.appends && value !== undefined ? joined(value, setting.value) : setting.value;
  }
  return value;
}

function joined(before: XlValue, after: XlValue): XlValue {
  if (typeof before === 'string') return typeof after === 'string' ? before + after : after;
  return typeof after === 'string' ? [...before, after] : [...before, ...after];
}

/** The value as xl reads it back. */
export function formatXlValue(value: XlValue): string {
  if (typeof value !== 'string') return `[ ${value.map(formatXlValue).join(', ')} ]`;
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

function readSetting(reader: Reader): XlSetting {
  const from = reader.at;
  const key = reader.take(KEY) ?? reader.fail("a setting's name");
  reader.take(BLANK);
  const appends = reader.skip('+=');
  if (!appends && !reader.skip('=')) reader.fail('=');
  reader.take(BLANK);
  const value = readValue(reader);
  return { key, appends, value, from, to: reader.at };
}

function readValue(reader: Reader): XlValue {
  if (reader.skip('[')) return readList(reader);
  const number = reader.take(NUMBER);
  if (number !== null) return number;
  return unquoted(reader.take(STRING) ?? reader.fail('a string in quotes, a number or a list'));
}

function readList(reader: Reader): XlValue[] {
  const values: XlValue[] = [];
  for (;;) {
    reader.take(BLANK_IN_LIST);
    if (reader.skip(']')) return values;
    values.push(readValue(reader));
    reader.take(BLANK_IN_LIST);
    if (!reader.skip(',') && reader.next !== ']') reader.fail(', or ]');
  }
}

const ESCAPED: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

function unquoted(literal: string): string {
  return literal
    .slice(1, -1)
    .replace(
      /\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))/g,
      (_, hex?: string, octal?: string, other?: string) => {
        if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16));
        if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8) & 0xff);
        return ESCAPED[other ?? ''] ?? other ?? '';
      },
    );
}

class Reader {
  readonly #text: string;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  isAtEnd(): boolean {
    return this.at >= this.#text.length;
  }

  get next(): string {
    return this.#text[this.at] ?? '';
  }

  /** What matches here (the pattern is sticky), or null. */
  take(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.#text);
    if (match === null) return null;
    this.at += match[0].length;
    return match[0];
  }

  skip(token: string): boolean {
    if (!this.#text.startsWith(token, this.at)) return false;
    this.at += token.length;
    return true;
  }

  fail(wanted: string): never {
    const line = this.#text.slice(0, this.at).split('\n').length;
    const found = this.isAtEnd()
      ? 'the end'
      : JSON.stringify(this.#text.slice(this.at, this.at + 20).split('\n')[0]);
    throw new DirectorError(`line ${line}: ${wanted} is expected, and there is ${found}`);
  }
}
