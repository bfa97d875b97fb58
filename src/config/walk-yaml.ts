import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Alias, Node, Pair, YAMLMap } from 'yaml';
import type { Path } from './problem.ts';

export interface Oddity {
  readonly at: Path;
  /** Characters from the beginning of the text. */
  readonly offset: number;
  readonly message: string;
  /** The document has no plain data because of it. */
  readonly fatal: boolean;
}

/** What is YAML, but not in a configuration: tags, keys that stand twice or are no plain text, aliases of nothing. */
export function walkYaml(contents: unknown): Oddity[] {
  const found: Oddity[] = [];
  walk(contents, [], { found, anchors: new Set() });
  return found;
}

interface Walk {
  readonly found: Oddity[];
  /** Anchors whose content has ended: an alias within its own anchor would have no end. */
  readonly anchors: Set<string>;
}

function walk(node: unknown, at: Path, state: Walk): void {
  if (isAlias(node)) {
    checkAlias(node, at, state);
    return;
  }
  checkTag(node, at, state);
  if (isMap(node)) walkMap(node, at, state);
  else if (isSeq(node)) node.items.forEach((item, i) => walk(item, [...at, i], state));
  const anchor = (node as Node | null as { anchor?: string } | null)?.anchor;
  if (anchor !== undefined) state.anchors.add(anchor);
}

function walkMap(map: YAMLMap, at: Path, state: Walk): void {
  const first = new Map<string, Pair>();
  for (const pair of map.items) {
    const { key } = pair;
    if (!isScalar(key)) {
      report(state, key, at, 'is a key that is no plain text; write a name', true);
      continue;
    }
    const name = String(key.value);
    const path = [...at, name];
    checkTag(key, path, state);
    if (first.has(name)) report(state, key, path, `${JSON.stringify(name)} stands here twice; leave one out`);
    first.set(name, pair);
    walk(pair.value, path, state);
  }
}

function checkAlias(alias: Alias, at: Path, state: Walk): void {
  if (state.anchors.has(alias.source)) return;
  const message = `*${alias.source} refers to nothing; write &${alias.source} at something before it`;
  report(state, alias, at, message, true);
}

/** Only tags that are written out are kept on a node. */
function checkTag(node: unknown, at: Path, state: Walk): void {
  const tag = (node as { tag?: string } | null)?.tag;
  if (tag === undefined) return;
  report(state, node, at, `has the tag ${tag}, which means nothing here; remove it`);
}

function report(state: Walk, node: unknown, at: Path, message: string, fatal = false): void {
  state.found.push({ at, message, fatal, offset: (node as Node | null)?.range?.[0] ?? 0 });
}
