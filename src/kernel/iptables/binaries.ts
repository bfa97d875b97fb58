import type { Family } from '../../model/address.ts';

/** Which of the two iptables: `auto` is what the host's own tools are (Debian: update-alternatives). */
export type Variant = 'auto' | 'nft' | 'legacy';
export type Tool = 'restore' | 'save';

const BACKEND: Readonly<Record<Variant, string>> = { auto: '', nft: '-nft', legacy: '-legacy' };

/** `iptables-restore`, `ip6tables-nft-save`, ... */
export function binaryOf(variant: Variant, family: Family, tool: Tool): string {
  return `${family === 4 ? 'iptables' : 'ip6tables'}${BACKEND[variant]}-${tool}`;
}
