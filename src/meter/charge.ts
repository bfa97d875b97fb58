import type { Pair } from './gauge.ts';
import type { Charge, Direction } from './ledger.ts';
import type { Mean, Timed } from './means.ts';
import { modelNanos, nanosFor } from './model.ts';
import type { Rate } from './model.ts';
import type { Carried } from './traffic.ts';

/**
 * The timed packets of one vif and direction. `in` left by the vif: routed if they came by the uplink, bridged if by
 * another vif; `out` the other way round.
 */
export function timedOf(
  pairs: readonly Pair[],
  uplink: number | null,
  vif: number,
  direction: Direction,
): Timed {
  const [here, there] = direction === 'in' ? (['out', 'in'] as const) : (['in', 'out'] as const);
  const timed = { packets: 0, nanos: 0, bridged: 0 };
  for (const pair of pairs) {
    if (pair[here] !== vif) continue;
    if (pair[there] !== uplink) {
      timed.bridged += pair.packets + pair.clipped;
      continue;
    }
    timed.packets += pair.packets;
    timed.nanos += pair.nanos;
  }
  return timed;
}

/** What is charged for what was carried: by what was timed, else by the model. */
export function chargeFor(carried: Carried, mean: Mean | null, samples: number, baseline: Rate): Charge {
  const bytesEach = carried.packets === 0 ? 0 : carried.bytes / carried.packets;
  const routed = carried.packets * (mean?.routedShare ?? 1);
  const each = mean?.nanos ?? modelNanos(baseline, bytesEach);
  return {
    packets: carried.packets,
    bytes: carried.bytes,
    nanos: routed * each,
    overheadNanos: routed * Math.max(each - nanosFor(baseline, bytesEach), 0),
    samples,
    nanosPerPacket: mean?.nanos ?? null,
  };
}

/** Shares a total out by what each would have been charged; seconds. Nothing carried: nobody is charged. */
export function shareOut(
  charges: readonly Charge[],
  total: { readonly cpuSeconds: number; readonly overheadSeconds: number },
): Charge[] {
  const all = charges.reduce((sum, { nanos }) => sum + nanos, 0);
  return charges.map((charge) => {
    const share = all === 0 ? 0 : charge.nanos / all;
    const nanos = total.cpuSeconds * 1e9 * share;
    return {
      ...charge,
      nanos,
      overheadNanos: total.overheadSeconds * 1e9 * share,
      nanosPerPacket: charge.packets === 0 || nanos === 0 ? null : nanos / charge.packets,
    };
  });
}
