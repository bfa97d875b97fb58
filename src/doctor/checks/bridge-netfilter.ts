import { check } from '../check.ts';
import { ok, warning } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';

/** `iptables`, `ip6tables`: those that are shown what stays on a bridge. */
export function judgeBridgeNetfilter(tools: readonly string[]): Verdict[] {
  const what = (passes: string): string =>
    `frames inside a bridge ${passes} iptables (bridge-nf-call-iptables)`;
  if (tools.length === 0) return [ok(what('do not pass'))];
  const why =
    'directing works all the same, but bridging costs more, vifs are put in hairpin mode, and the host’s own rules may refuse what stays on a bridge; Docker needs it';
  const command = tools.map((tool) => `net.bridge.bridge-nf-call-${tool}=0`).join(' ');
  return [warning(what('pass'), why, `sysctl -w ${command}`)];
}

const look = ({ sysctl }: Ground): string[] =>
  ['iptables', 'ip6tables'].filter((tool) => sysctl(`net/bridge/bridge-nf-call-${tool}`) === '1');

export const bridgeNetfilterCheck = check('bridge-netfilter', look, judgeBridgeNetfilter);
