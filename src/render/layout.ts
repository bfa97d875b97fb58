import type { Jump, TableName } from '../model/kernel-state.ts';

/** Where the host's own chains lead into ours. The frames in rules/ hold the same lines; reading them checks it. */
export const JUMPS: readonly (Jump & { readonly table: TableName })[] = [
  { table: 'filter', chain: 'FORWARD', target: 'DIR-FWD', at: 'first' },
  { table: 'filter', chain: 'FORWARD', target: 'DIR-PASS', at: 'last' },
  { table: 'filter', chain: 'INPUT', target: 'DIR-OUT', at: 'first' },
  { table: 'raw', chain: 'PREROUTING', target: 'DIR-HOLD', at: 'first' },
  { table: 'raw', chain: 'OUTPUT', target: 'DIR-HOLD', at: 'first' },
  { table: 'nat', chain: 'PREROUTING', target: 'DIR-PRE', at: 'first' },
  { table: 'nat', chain: 'OUTPUT', target: 'DIR-PRE', at: 'first' },
  { table: 'nat', chain: 'POSTROUTING', target: 'DIR-POST', at: 'first' },
];

export function jumpsOf(table: TableName): Jump[] {
  return JUMPS.filter((jump) => jump.table === table).map(({ chain, target, at }) => ({ chain, target, at }));
}
