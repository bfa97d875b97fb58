import { check } from '../check.ts';
import { fault, ok, warning } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';

export interface ConntrackSeen {
  /** Null where conntrack is not in use yet. */
  readonly entries: number | null;
  readonly limit: number | null;
}

const NEARLY_FULL = 0.8;
const FULL = 0.95;

/** A full table drops new connections, of everybody. */
export function judgeConntrack({ entries, limit }: ConntrackSeen): Verdict[] {
  if (entries === null || limit === null) return [ok('conntrack is not in use yet')];
  const what = `conntrack holds ${entries} of at most ${limit} flows`;
  if (entries < limit * NEARLY_FULL) return [ok(what)];
  const grade = entries < limit * FULL ? warning : fault;
  const command = `sysctl -w net.netfilter.nf_conntrack_max=${limit * 2}`;
  return [grade(what, 'a full table drops new connections, of everybody', command)];
}

function look({ sysctl }: Ground): ConntrackSeen {
  const read = (key: string): number | null => {
    const value = sysctl(`net/netfilter/nf_conntrack_${key}`);
    return value === null ? null : Number(value);
  };
  return { entries: read('count'), limit: read('max') };
}

export const conntrackCheck = check('conntrack', look, judgeConntrack);
