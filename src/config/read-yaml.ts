import { isAlias, isCollection, isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type { Document, Node, Pair } from 'yaml';
import type { Fault } from '../lib/errors.ts';
import { walkYaml } from './walk-yaml.ts';
import type { Path, Problem } from './problem.ts';
import { formatPath } from './problem.ts';

export interface Source {
  /** The document as plain data; undefined where it could not be read at all. */
  readonly data: unknown;
  readonly faults: readonly Fault[];
  /** Gives a problem its line and column: its own, or those of what it should have stood in. */
  locate(problem: Problem): Fault;
}

interface Position {
  readonly line: number;
  readonly column: number;
}

/** One YAML 1.2 document (core schema), with where everything stands in it. */
export function readYaml(text: string): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'error',
  });
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const locate = ({ at, message, key }: Problem): Fault => ({
    path: formatPath(at),
    message,
    ...position(offsetOf(document, at, key === true)),
  });
  const broken = brokenFaults(document, text, position);
  if (broken.length > 0) return { data: undefined, faults: broken, locate };
  const oddities = walkYaml(document.contents);
  const faults = oddities.map(({ offset, at, message }) => ({
    path: formatPath(at),
    message,
    ...position(offset),
  }));
  const unusable = oddities.some(({ fatal }) => fatal);
  return { data: unusable ? undefined : plain(document), faults, locate };
}

/** What keeps the text from being read at all. Of syntax, the first error: what the parser says after it is its echo. */
function brokenFaults(
  document: Document.Parsed,
  text: string,
  position: (offset: number) => Position,
): Fault[] {
  const faults = document.errors.slice(0, 1).map(({ code, message, pos }) => ({
    path: '',
    message:
      code === 'MULTIPLE_DOCS'
        ? 'a second document begins here; one file holds one configuration'
        : `not YAML: ${message}${bracketHint(text, pos[0])}`,
    ...position(pos[0]),
  }));
  const { yaml, tags } = document.directives;
  if (yaml.explicit === true || Object.keys(tags).length > 1 || isUnknownDirective(document)) {
    const offset = Math.max(text.search(/^%/m), 0);
    const message = 'a directive stands here; the file is YAML 1.2 without any: remove the line';
    faults.push({ path: '', message, ...position(offset) });
  }
  return faults;
}

/** `[::1]:8440` begins a list in YAML, and what follows it is the error. */
function bracketHint(text: string, offset: number): string {
  const before = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset);
  const [host] = /\[[0-9a-f:.]+\]$/i.exec(before) ?? [];
  return host === undefined ? '' : `; an address in brackets needs quotes, such as "${host}:8440"`;
}

function isUnknownDirective(document: Document.Parsed): boolean {
  return document.warnings.some(({ code }) => code === 'BAD_DIRECTIVE');
}

/** Aliases share what they refer to, so nothing grows here however they are nested. */
function plain(document: Document.Parsed): unknown {
  return document.toJS({ maxAliasCount: -1 });
}

/** Where a path stands; of what is missing or empty, where its owner's name stands. */
function offsetOf(document: Document.Parsed, path: Path, key: boolean): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [i, step] of path.entries()) {
    const resolved = isAlias(node) ? node.resolve(document) : node;
    const next = child(resolved, step);
    if (next === null) return offset;
    const wantsKey = (key && i === path.length - 1) || isCollection(next.value) || isEmpty(next.value);
    const start = wantsKey ? (startOf(next.key) ?? startOf(next.value)) : startOf(next.value);
    offset = start ?? offset;
    node = next.value;
  }
  return offset;
}

function child(node: unknown, step: string | number): { key: unknown; value: unknown } | null {
  if (isMap(node)) {
    const pair = node.items.findLast((item: Pair) => isScalar(item.key) && String(item.key.value) === step);
    return pair === undefined ? null : { key: pair.key, value: pair.value };
  }
  const value = isCollection(node) && typeof step === 'number' ? node.items[step] : undefined;
  return value === undefined ? null : { key: null, value };
}

const isEmpty = (node: unknown): boolean => !isAlias(node) && (!isScalar(node) || node.value === null);

const startOf = (node: unknown): number | undefined => (node as Node | null)?.range?.[0];
