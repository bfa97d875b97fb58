import type { Protocol } from './service.ts';
import type { Slot } from './state.ts';

/**
 * A directed connection carries its service, DomU and protocol in our part of the conntrack mark, so that the kernel
 * can select precisely its flows: `id << 2 | slot << 1 | udp`, shifted to the mask. 0 is "not ours".
 */
export interface FlowMark {
  readonly id: number;
  readonly slot: Slot;
  readonly protocol: Protocol;
}

export const DEFAULT_MARK_MASK = 0xffff0000;

const lowestBit = (mask: number): number => 31 - Math.clz32(mask & -mask);
const width = (mask: number): number => 32 - Math.clz32(mask >>> lowestBit(mask));

/** How many services the mask can tell apart. */
export function markCapacity(mask: number): number {
  return 2 ** (width(mask) - 2) - 1;
}

/** A mask is contiguous ones, and wide enough for at least one service. */
export function isMarkMask(mask: number): boolean {
  const bits = mask >>> 0;
  if (bits === 0) return false;
  const shifted = bits >>> lowestBit(bits);
  return (shifted & (shifted + 1)) === 0 && width(bits) >= 3;
}

export function encodeMark({ id, slot, protocol }: FlowMark, mask: number): number {
  const value = (id << 2) | (slot === 'b' ? 2 : 0) | (protocol === 'udp' ? 1 : 0);
  return (value << lowestBit(mask)) >>> 0;
}

export function decodeMark(mark: number, mask: number): FlowMark | null {
  const value = ((mark & mask) >>> 0) >>> lowestBit(mask);
  if (value >> 2 === 0) return null;
  return { id: value >> 2, slot: (value & 2) !== 0 ? 'b' : 'a', protocol: (value & 1) !== 0 ? 'udp' : 'tcp' };
}

/** Selects a DomU's flows of either protocol, by the mark of one. */
export const withoutProtocol = (mask: number): number => (mask & ~(1 << lowestBit(mask))) >>> 0;

/** iptables' own spelling of a mark: lower-case hexadecimal. */
export const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
