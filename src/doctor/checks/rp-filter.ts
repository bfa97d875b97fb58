import { inTurns } from '../../lib/turn.ts';
import { check } from '../check.ts';
import { ok, some, warning } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';

/** Links with the value that holds there: the higher one of `all` and its own (Documentation/networking/ip-sysctl.rst). */
export type RpFilterSeen = readonly { readonly link: string; readonly value: number }[];

const STRICT = 1;

/** RFC 3704: strict drops a packet whose sender would be answered over another link. */
export function judgeRpFilter(seen: RpFilterSeen): Verdict[] {
  const strict = seen.filter(({ value }) => value === STRICT).map(({ link }) => link);
  if (strict.length === 0) return [ok('reverse path filtering is not strict')];
  const why =
    'packets from senders whose way back is another link are dropped without a word: several uplinks, policy routing, administrators on a second network';
  const command = ['all', ...strict].map((link) => `net/ipv4/conf/${link}/rp_filter=2`).join(' ');
  return [warning(`reverse path filtering is strict on ${some(strict)}`, why, `sysctl -w ${command}`)];
}

/** Of our links; of all where none are known. */
async function look({ sysctl, services, uplink, links }: Ground): Promise<RpFilterSeen> {
  const own = new Set([uplink, ...services.map(({ bridge }) => bridge.name)]);
  const all = Number(sysctl('net/ipv4/conf/all/rp_filter') ?? 0);
  const names = (await links())
    .map(({ name }) => name)
    .filter((name) => (services.length === 0 ? name !== 'lo' : own.has(name)));
  return inTurns(names, (link) => ({
    link,
    value: Math.max(all, Number(sysctl(`net/ipv4/conf/${link}/rp_filter`) ?? 0)),
  }));
}

export const rpFilterCheck = check('rp-filter', look, judgeRpFilter);
