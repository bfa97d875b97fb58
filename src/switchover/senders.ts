import type { Flow } from '../kernel/kernel.ts';
import { contains } from '../model/address.ts';
import { decodeMark, encodeMark } from '../model/mark.ts';
import { otherSlot } from '../model/state.ts';
import type { Slot } from '../model/state.ts';
import { note } from './note.ts';
import type { Context } from './context.ts';
import { liveSlotOf, marksOf, testersAt } from './flows.ts';
import { isDecided } from './registry.ts';
import type { Entry } from './registry.ts';

/**
 * Whoever begins or ceases to test is directed elsewhere from his next connection on. A sender of datagrams has none:
 * the kernel keeps him where he was for as long as he goes on. So his flow is ended, and his next datagram follows.
 * Failures are noted: what was changed counts whatever comes of this.
 */
export async function settleSenders(context: Context, names: readonly string[]): Promise<void> {
  for (const name of names) {
    try {
      await settle(context, name);
    } catch (error) {
      note(
        context,
        [name],
        'datagrams of those who begin or cease to test may still go where they went',
        error,
      );
    }
  }
}

async function settle(context: Context, name: string): Promise<void> {
  const entry = context.entries.get(name);
  if (entry?.service.ports.some(({ protocol }) => protocol === 'udp') !== true) return;
  for (const slot of ['a', 'b'] as const) {
    for await (const flows of context.kernel.flows(marksOf(context, entry, slot, 'udp')))
      await endElsewhere(context, new Map([[entry.id, entry]]), flows);
  }
}

/** The same of all services, in one walk through the flows: after whatever an earlier director left. */
export async function settleAllSenders(context: Context): Promise<void> {
  const { config, kernel } = context;
  // The protocol's bit alone: what differs between the marks of both protocols.
  const [tcp, udp] = (['tcp', 'udp'] as const).map((protocol) =>
    encodeMark({ id: 1, slot: 'a', protocol }, config.markMask),
  );
  const bit = ((tcp ?? 0) ^ (udp ?? 0)) >>> 0;
  const entries = new Map([...context.entries.values()].map((entry) => [entry.id, entry]));
  try {
    for await (const flows of kernel.flows({ value: bit, mask: bit }))
      await endElsewhere(context, entries, flows);
  } catch (error) {
    note(context, [], 'datagrams may still go where they went before the director ended', error);
  }
}

async function endElsewhere(
  context: Context,
  entries: ReadonlyMap<number, Entry>,
  flows: readonly Flow[],
): Promise<void> {
  const strayed = flows.filter((flow) => {
    const mark = decodeMark(flow.mark, context.config.markMask);
    const entry = mark === null ? undefined : entries.get(mark.id);
    return mark !== null && entry !== undefined && mark.slot !== slotFor(context, entry, flow, mark.slot);
  });
  await Promise.all(strayed.map((flow) => context.kernel.deleteFlow(flow)));
}

/** Where a new connection from there would go. While a confirm exchanges the roles nobody is moved. */
function slotFor({ clock }: Context, entry: Entry, { from }: Flow, there: Slot): Slot {
  if (isDecided(entry)) return there;
  const live = liveSlotOf(entry);
  const secondary = otherSlot(entry.primary);
  if (live === secondary) return live;
  const testers = testersAt(entry, secondary, clock.now());
  return testers.some((source) => contains(source, from)) ? secondary : live;
}
