import { check } from '../check.ts';
import { fault, ok, some, warning, word } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';
import type { Base } from '../nft-chains.ts';
import { GUARD } from '../rulesets.ts';
import type { Ruleset } from '../rulesets.ts';
import { refusalsIn } from '../refusals.ts';
import type { Refusal } from '../refusals.ts';

export interface ForwardSeen {
  readonly rulesets: readonly Pick<Ruleset, 'family' | 'backend' | 'policy' | 'filter' | 'guarded'>[];
  readonly bases: readonly Base[];
  /** The uplink, bridges and vifs; null where nothing is configured, so any link may be ours. */
  readonly links: ReadonlySet<string> | null;
}

const OURS_FIRST = `-j ${GUARD}`;

/** What stands in the way of directed packets, or before the rules that keep the dark DomU dark. */
export function judgeForwardChain({ rulesets, bases, links }: ForwardSeen): Verdict[] {
  const found = [
    ...rulesets.flatMap((ruleset) => [
      ...policy(ruleset),
      ...unguarded(ruleset),
      ...above(ruleset),
      ...refusing(ruleset, links),
    ]),
    ...bases.filter(({ hook, policy: said }) => hook === 'forward' && said === 'drop').map(dropsByPolicy),
  ];
  return found.length === 0 ? [ok('nothing in FORWARD stands in the way')] : found;
}

type Forward = ForwardSeen['rulesets'][number];

const toolOf = ({ family, backend }: Forward): string =>
  `${family === 4 ? 'iptables' : 'ip6tables'}-${backend}`;

function policy(ruleset: Forward): Verdict[] {
  if (ruleset.policy !== 'DROP') return [];
  const why =
    'what is directed passes all the same; what DomUs open outwards, and administrators who reach them directly, need rules of yours that accept it; or the policy ACCEPT, where no other program wants it so';
  return [
    warning(`IPv${ruleset.family}: FORWARD's policy is DROP`, why, `${toolOf(ruleset)} -P FORWARD ACCEPT`),
  ];
}

function unguarded(ruleset: Forward): Verdict[] {
  if (ruleset.guarded !== false) return [];
  return [
    fault(
      `IPv${ruleset.family}: FORWARD does not lead to ${GUARD}`,
      'whoever routes to a dark DomU reaches it; a director that runs puts it back within a second',
      `${toolOf(ruleset)} -I FORWARD -j ${GUARD}`,
    ),
  ];
}

/** Only where our jump is there: without a director nothing is above it. */
function above(ruleset: Forward): Verdict[] {
  const rules = ruleset.filter.get('FORWARD') ?? [];
  const place = rules.indexOf(OURS_FIRST);
  if (place <= 0) return [];
  return [
    fault(
      `IPv${ruleset.family}: FORWARD has ${place} ${place === 1 ? 'rule' : 'rules'} above the director's: ${some(rules.slice(0, place), 2)}`,
      'what they accept may reach a dark DomU; a director that runs moves its jump up again within a second',
      `${toolOf(ruleset)} -D FORWARD 1`,
    ),
  ];
}

function refusing(ruleset: Forward, links: ForwardSeen['links']): Verdict[] {
  const found = refusalsIn(ruleset.filter, links);
  const sure = found.filter(({ always }) => always);
  const perhaps = found.filter(({ always }) => !always);
  const told = (refusals: readonly Refusal[]): string =>
    some(
      refusals.map(({ chain, rule }) => `${chain}: ${rule}`),
      2,
    );
  const [first] = sure;
  const [maybe] = perhaps;
  return [
    ...(first === undefined
      ? []
      : [
          fault(
            `IPv${ruleset.family}: FORWARD refuses everything (${told(sure)})`,
            'that stands before the rule that lets pass what is directed, which is the last; accept it before, or let the policy refuse instead of a rule',
            `${toolOf(ruleset)} -D ${word(first.chain)} ${first.number}`,
          ),
        ]),
    ...(maybe === undefined
      ? []
      : [
          warning(
            `IPv${ruleset.family}: FORWARD refuses some packets, which may be directed ones (${told(perhaps)})`,
            'the director lets the host’s own rules have their say; make sure that none of them means a service',
            `${toolOf(ruleset)} -nvL ${word(maybe.chain)} --line-numbers`,
          ),
        ]),
  ];
}

const dropsByPolicy = ({ family, table, chain }: Base): Verdict =>
  warning(
    `nft: ${family} ${table}'s chain ${chain} drops what it does not accept`,
    'packets pass it beside iptables: it must accept the services’ bridges by itself',
    `nft list chain ${word(family)} ${word(table)} ${word(chain)}`,
  );

async function look({ rulesets, bases, services, uplink }: Ground): Promise<ForwardSeen> {
  const own = services.flatMap(({ bridge, domus }) => [bridge.name, ...domus.flatMap(({ vifs }) => vifs)]);
  return {
    rulesets: await rulesets(),
    bases: (await bases()) ?? [],
    links: services.length === 0 ? null : new Set([...own, ...(uplink === null ? [] : [uplink])]),
  };
}

export const forwardChainCheck = check('forward-chain', look, judgeForwardChain);
