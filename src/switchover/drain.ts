import { contains } from '../model/address.ts';
import { encodeMark } from '../model/mark.ts';
import type { Drain } from '../model/records.ts';
import { otherSlot } from '../model/state.ts';
import type { Slot } from '../model/state.ts';
import type { Context } from './context.ts';
import { liveSlotOf, testersAt } from './flows.ts';
import type { Entry } from './registry.ts';

/** Flows by our part of their mark, as the kernel counts them. */
export type Counted = ReadonlyMap<number, number>;

/**
 * What still drains of these services: TCP connections that were opened while the DomU that is dark now was live.
 * Nobody but testers can have opened any since, and theirs are left out.
 */
export async function drainsOf(
  context: Context,
  entries: readonly Entry[],
  counted: Counted,
): Promise<ReadonlyMap<string, Drain>> {
  const busy = entries.filter((entry) => (counted.get(markOf(context, entry, darkOf(entry))) ?? 0) > 0);
  if (busy.length === 0) return new Map();
  const ends = endsOf(context);
  const drains = new Map<string, Drain>();
  for (const entry of busy) {
    const until = ends.get(`${entry.service.name} ${darkOf(entry)}`) ?? null;
    const flows = await drainingFlows(context, entry, counted, until !== null);
    if (flows > 0) drains.set(entry.service.name, { flows, until });
  }
  return drains;
}

const darkOf = (entry: Entry): Slot => otherSlot(liveSlotOf(entry));

const markOf = ({ config }: Context, { id }: Entry, slot: Slot): number =>
  encodeMark({ id, slot, protocol: 'tcp' }, config.markMask);

/** By service and slot: when what is left there will be cut. */
function endsOf({ store, clock }: Context): Map<string, number> {
  const now = clock.now();
  const ends = new Map<string, number>();
  for (const { draining, drainUntil } of store.draining()) {
    if (drainUntil === null || drainUntil <= now) continue;
    for (const [name, slot] of Object.entries(draining)) {
      const key = `${name} ${slot}`;
      ends.set(key, Math.min(ends.get(key) ?? drainUntil, drainUntil));
    }
  }
  return ends;
}

/**
 * `timed`: a switch has said that there is something to drain. Without it, testers' flows are not told from others:
 * each asking would walk through them for as long as somebody tests.
 */
async function drainingFlows(
  context: Context,
  entry: Entry,
  counted: Counted,
  timed: boolean,
): Promise<number> {
  const value = markOf(context, entry, darkOf(entry));
  const all = counted.get(value) ?? 0;
  const sources = testersAt(entry, darkOf(entry), context.clock.now());
  if (sources.length === 0) return all;
  if (!timed) return 0;
  let others = 0;
  for await (const flows of context.kernel.flows({ value, mask: context.config.markMask })) {
    others += flows.filter(
      ({ from, closing }) => !closing && !sources.some((source) => contains(source, from)),
    ).length;
  }
  return others;
}
