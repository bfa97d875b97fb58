/** A rule that refuses packets on their way through FORWARD. */
export interface Refusal {
  readonly chain: string;
  /** 1-based, as `iptables -D CHAIN NUMBER` counts. */
  readonly number: number;
  /** As iptables-save writes it, without `-A CHAIN `. */
  readonly rule: string;
  /** No match stands before it, here or on the way: every packet is refused. */
  readonly always: boolean;
}

const REFUSING = new Set(['DROP', 'REJECT']);
/** Nothing of this chain is met by a directed packet after these. */
const ENDING = new Set(['ACCEPT', 'RETURN', 'DIR-PASS']);
/** Packets that belong to no connection are nobody's, and commonly refused. */
const INVALID_ONLY = /--(ctstate|state) INVALID( |$)/;
/** What was DNATed is what is directed: firewalld accepts it so, before it refuses all else. */
const DIRECTED = /^-m (?:conntrack --ctstate|state --state) (?:\w+,)*DNAT(?:,\w+)*$/;
/** Certain senders: whoever keeps a blocklist means it. */
const SENDERS = /(?:^| )(?<!! )(?:-s \S+|-m set --match-set \S+ src)(?: |$)/;
const COMMENT = /-m comment --comment (?:"(?:[^"\\]|\\.)*"|\S+) ?/g;

interface Parsed {
  readonly matches: string;
  readonly target: string;
}

function parse(rule: string): Parsed {
  const [, before = '', target = ''] = /^(?:(.*?) )?-[jg] (\S+)/.exec(rule.replace(COMMENT, '')) ?? [];
  return { matches: before.trim(), target };
}

/** All but the chain of the packets' way stays the same. */
interface Walk {
  readonly chains: ReadonlyMap<string, readonly string[]>;
  readonly links: ReadonlySet<string> | null;
  /** Whether every way ends there, by chain and by whether all packets come by: chains may lead to each other. */
  readonly known: Map<string, boolean>;
  readonly found: Map<string, Refusal>;
}

/**
 * Refusals before the end of FORWARD, in the order in which packets meet them; chains that rules jump to included, as
 * far as they are here. Left out is what stands behind a rule that decides about everything, or behind one that
 * accepts what is directed, and what means certain senders or packets over none of `links` (null: any may be meant).
 */
export function refusalsIn(
  chains: ReadonlyMap<string, readonly string[]>,
  links: ReadonlySet<string> | null,
): Refusal[] {
  const walk: Walk = { chains, links, known: new Map(), found: new Map() };
  walkChain(walk, 'FORWARD', true);
  return [...walk.found.values()];
}

/** Answers whether every packet's way ends in this chain. `all`: every packet comes by. */
function walkChain(walk: Walk, chain: string, all: boolean): boolean {
  const key = `${chain} ${all ? 'all' : 'some'}`;
  const known = walk.known.get(key);
  if (known !== undefined) return known;
  walk.known.set(key, false);
  const ends = (walk.chains.get(chain) ?? []).reduce<boolean | null>(
    (ended, rule, at) => ended ?? walkRule(walk, { chain, rule, number: at + 1 }, all),
    null,
  );
  walk.known.set(key, ends === true);
  return ends === true;
}

/** Null: the next rule is met. True: every way ends here; false: it goes on behind the chain. */
function walkRule(walk: Walk, at: Omit<Refusal, 'always'>, all: boolean): boolean | null {
  const { matches, target } = parse(at.rule);
  if (SENDERS.test(matches) || !mayConcern(matches, walk.links)) return null;
  if (target === 'ACCEPT' && DIRECTED.test(matches)) return true;
  const every = matches === '';
  if (REFUSING.has(target)) {
    const key = `${at.chain} ${at.number}`;
    const always = all && every;
    if (!INVALID_ONLY.test(matches) && (always || !walk.found.has(key)))
      walk.found.set(key, { ...at, always });
    return every ? true : null;
  }
  if (every && ENDING.has(target)) return target !== 'RETURN';
  if (!walk.chains.has(target)) return null;
  return walkChain(walk, target, all && every) && every ? true : null;
}

/** Whether it can mean packets over one of these links. */
function mayConcern(matches: string, links: ReadonlySet<string> | null): boolean {
  if (links === null) return true;
  for (const [, not, name = ''] of matches.matchAll(/(?:^| )(! )?-[io] (\S+)/g)) {
    const meant = name.endsWith('+')
      ? [...links].some((link) => link.startsWith(name.slice(0, -1)))
      : links.has(name);
    if (not === undefined && !meant) return false;
  }
  return true;
}
