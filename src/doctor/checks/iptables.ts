import { check } from '../check.ts';
import { fault, ok, warning } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';
import type { Ruleset } from '../rulesets.ts';

export interface IptablesSeen {
  /** The variant that the director uses. */
  readonly backend: Ruleset['backend'];
  readonly rulesets: readonly Pick<Ruleset, 'family' | 'backend' | 'foreign' | 'ours'>[];
}

/** A packet passes the rules of both variants; each tool shows and orders only its own. */
export function judgeIptables({ backend, rulesets }: IptablesSeen): Verdict[] {
  const others = rulesets.filter((ruleset) => ruleset.backend !== backend);
  const left = others.filter(({ ours }) => ours).map(leftBehind);
  const both = others
    .filter(({ foreign }) => foreign > 0)
    .map(({ family, backend: other, foreign }) =>
      warning(
        `IPv${family}: iptables-${other} has ${foreign} ${foreign === 1 ? 'rule' : 'rules'} beside iptables-${backend}, which the director uses`,
        'packets pass both, and what one accepts the other may refuse, unseen; move those rules, or choose with "iptables: nft" or "iptables: legacy" in the configuration',
        `${toolOf(family, other)}-save`,
      ),
    );
  return left.length + both.length === 0 ? [ok(`iptables-${backend} alone has rules`)] : [...left, ...both];
}

const leftBehind = ({ family, backend }: Pick<Ruleset, 'family' | 'backend'>): Verdict =>
  fault(
    `IPv${family}: iptables-${backend} has chains of the director, which uses the other variant now`,
    'packets pass both, and the old ones direct as it was then: a teardown with the former setting removes them',
    `${toolOf(family, backend)}-save`,
  );

const toolOf = (family: Ruleset['family'], backend: string): string =>
  `${family === 4 ? 'iptables' : 'ip6tables'}-${backend}`;

const look = async ({ backend, rulesets }: Ground): Promise<IptablesSeen> => ({
  backend: await backend(),
  rulesets: await rulesets(),
});

export const iptablesCheck = check('iptables', look, judgeIptables);
