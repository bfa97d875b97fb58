/** What this host's CPU does for one packet (an skb) that is directed to a DomU. Nanoseconds. */
export interface RoutingCost {
  /** What a plain bridge would have taken. */
  readonly bridgeNanos: number;
  /** What directing it takes more: routing, conntrack, DNAT. */
  readonly directingNanos: number;
}

/**
 * Medians for TCP requests and responses between two network namespaces of one CPU, Linux 6.18: what a host that was
 * not measured is taken for. UDP: 879 and 1753; short connections: 858 and 2255.
 */
export const TYPICAL_COST: RoutingCost = { bridgeNanos: 879, directingNanos: 2113 };

export const nanosOf = ({ bridgeNanos, directingNanos }: RoutingCost): number => bridgeNanos + directingNanos;

/** Cores that so many packets a second take. */
export const coresFor = (cost: RoutingCost, packetsPerSecond: number): number =>
  (packetsPerSecond * nanosOf(cost)) / 1e9;

/** Of a meter's report, what tells the cost of a packet. */
export interface MeasuredFlow {
  readonly nanosPerPacket: number | null;
  readonly packetsPerSecond: number;
  /** Since the meter began. */
  readonly packets: number;
}

/**
 * The mean cost of a packet over all flows that were measured, each by its packets of the last interval (of all time,
 * where that was a quiet one); null where none was.
 */
export function measuredCost(flows: readonly MeasuredFlow[], bridgeNanos: number | null): RoutingCost | null {
  const measured = flows.flatMap(({ nanosPerPacket: nanos, ...flow }) =>
    nanos === null ? [] : [{ ...flow, nanos }],
  );
  const busy = measured.some(({ packetsPerSecond }) => packetsPerSecond > 0);
  const weightOf = (flow: (typeof measured)[number]): number => (busy ? flow.packetsPerSecond : flow.packets);
  const weight = measured.reduce((sum, flow) => sum + weightOf(flow), 0);
  if (weight === 0) return null;
  const nanos = measured.reduce((sum, flow) => sum + flow.nanos * weightOf(flow), 0) / weight;
  const bridge = Math.min(bridgeNanos ?? TYPICAL_COST.bridgeNanos, nanos);
  return { bridgeNanos: bridge, directingNanos: nanos - bridge };
}
