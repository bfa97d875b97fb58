import type { CpuBaseline } from './report.ts';

/**
 * Bytes a packet (an skb) of what the figures below and every baseline stand for: small datagrams, and TCP in bulk,
 * which the stack carries in aggregates of up to 64 kB (GSO).
 */
export const SMALL_BYTES = 100;
export const BULK_BYTES = 53_000;

/** Nanoseconds a packet, small and bulk. */
export interface Rate {
  readonly smallNanos: number;
  readonly bulkNanos: number;
}

/**
 * Medians of 14 rounds on Linux 6.18 in a two-core virtual machine: a plain bridge between the same two hooks, and what
 * DNAT with connection tracking takes more (the mean of UDP, request/response and short connections for small ones).
 */
export const TYPICAL_BRIDGE: Rate = { smallNanos: 540, bulkNanos: 745 };
export const TYPICAL_OVERHEAD: Rate = { smallNanos: 2040, bulkNanos: 3225 };

/** Linear in between; what is smaller or larger costs no less and no more. */
export function nanosFor({ smallNanos, bulkNanos }: Rate, bytesPerPacket: number): number {
  const share = (bytesPerPacket - SMALL_BYTES) / (BULK_BYTES - SMALL_BYTES);
  return smallNanos + (bulkNanos - smallNanos) * Math.min(Math.max(share, 0), 1);
}

/** The fixed model: what a packet of this size costs in all, given what the plain bridge takes. */
export function modelNanos(baseline: Rate, bytesPerPacket: number): number {
  return nanosFor(baseline, bytesPerPacket) + nanosFor(TYPICAL_OVERHEAD, bytesPerPacket);
}

/** `at`: milliseconds since the epoch. */
export function typicalBaseline(at: number): CpuBaseline {
  return { ...TYPICAL_BRIDGE, measuredAt: new Date(at).toISOString(), measured: false };
}
