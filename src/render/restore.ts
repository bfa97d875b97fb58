import type { Family } from '../model/address.ts';
import type { Jump } from '../model/kernel-state.ts';
import type { TableChange } from '../model/operation.ts';

/**
 * The text for `iptables-restore --noflush`: chains are made and filled before anything jumps to them, and emptied
 * (by being declared) before they are deleted. One commit a table, in the order given.
 */
export function renderRestore(family: Family, changes: readonly TableChange[]): string {
  if (changes.length === 0) return '';
  return `# Dom0 Director, IPv${family}\n${changes.map(renderTable).join('')}`;
}

function renderTable({ table, write, jumps, delete: gone }: TableChange): string {
  const lines = [
    `*${table}`,
    ...[...write.map(({ chain }) => chain), ...gone].map((chain) => `:${chain} - [0:0]`),
    ...write.flatMap(({ chain, rules }) => rules.map((rule) => `-A ${chain} ${rule}`)),
    ...jumps.flatMap(({ jump, present, wanted }) => renderJump(jump, present, wanted)),
    ...gone.map((chain) => `-X ${chain}`),
    'COMMIT',
  ];
  return `${lines.join('\n')}\n`;
}

function renderJump({ chain, target, at }: Jump, present: number, wanted: boolean): string[] {
  const removed = Array.from({ length: present }, () => `-D ${chain} -j ${target}`);
  return wanted ? [...removed, `${at === 'first' ? '-I' : '-A'} ${chain} -j ${target}`] : removed;
}
