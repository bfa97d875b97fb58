import type { MarkFilter } from '../kernel/kernel.ts';
import type { Network } from '../model/address.ts';
import { contains } from '../model/address.ts';
import { encodeMark, withoutProtocol } from '../model/mark.ts';
import type { Operation } from '../model/operation.ts';
import type { Connections, Protocol, Service } from '../model/service.ts';
import type { Slot } from '../model/state.ts';
import { note } from './note.ts';
import type { Context } from './context.ts';
import type { Entry } from './registry.ts';
import { toState } from './registry.ts';

export interface FlowCounts {
  readonly kept: number;
  readonly cut: number;
  readonly udpFlushed: number;
}

const NONE: FlowCounts = { kept: 0, cut: 0, udpFlushed: 0 };

/**
 * A packet that was already being looked up during the flip may still make a flow to the old DomU just after the first
 * sweep; a second one, this much later, finds it.
 */
const STRAGGLERS_MS = 200;

/**
 * After a flip, never before it: UDP flows of the DomU that was live are always ended, since a one-way sender would
 * stay on it for ever; TCP connections stay or are ended. Failures are noted: the flip stands whatever comes of this.
 */
export async function leaveOld(
  context: Context,
  old: readonly Old[],
  connections: Connections,
): Promise<FlowCounts> {
  const names = old.map(({ entry }) => entry.service.name);
  try {
    const counts = await leave(context, old, connections);
    context.leaving = [];
    context.wake();
    context.clock.after(STRAGGLERS_MS, () => void sweepStragglers(context, old, connections));
    return counts;
  } catch (error) {
    note(context, names, 'the flip is done, but flows of the DomU that was live could not be ended', error);
    return NONE;
  }
}

export interface Old {
  readonly entry: Entry;
  readonly slot: Slot;
}

/** So many services are asked about one by one; of more, all flows of the host are counted in one walk. */
const ONE_BY_ONE = 3;

async function leave(context: Context, old: readonly Old[], connections: Connections): Promise<FlowCounts> {
  const open = await openFlows(context, old);
  let counts = NONE;
  for (const { entry, slot } of old) {
    const [tcp, udp] = [open(entry, slot, 'tcp'), open(entry, slot, 'udp')];
    if (udp > 0) counts = add(counts, { ...NONE, udpFlushed: await cut(context, entry, slot, 'udp') });
    if (connections !== 'cut') counts = add(counts, { ...NONE, kept: tcp });
    else if (tcp > 0) counts = add(counts, { ...NONE, cut: await cut(context, entry, slot, 'tcp') });
  }
  return counts;
}

type Open = (entry: Entry, slot: Slot, protocol: Protocol) => number;

/**
 * How many flows that are not over these have. Each question walks through all flows of the host, so there is one about
 * a DomU's both protocols; or, of many DomUs, one about all there are.
 */
async function openFlows(context: Context, old: readonly Old[]): Promise<Open> {
  const { kernel, config } = context;
  const questions = old.length > ONE_BY_ONE ? [undefined] : old.map((one) => ofEither(context, one));
  const counted = new Map<number, number>();
  for (const only of questions)
    for (const [mark, count] of await kernel.countFlows(config.markMask, only)) counted.set(mark, count);
  return (entry, slot, protocol) => counted.get(marksOf(context, entry, slot, protocol).value) ?? 0;
}

function ofEither(context: Context, { entry, slot }: Old): MarkFilter {
  const { value, mask } = marksOf(context, entry, slot, 'tcp');
  return { value, mask: withoutProtocol(mask) };
}

/** Those of them that are not live now: another flip, or a deadline, may have made one so meanwhile. */
export function stillOld({ entries }: Context, old: readonly Old[]): Old[] {
  return old.filter(({ entry, slot }) => {
    const now = entries.get(entry.service.name);
    return now !== undefined && liveSlotOf(now) !== slot;
  });
}

async function sweepStragglers(
  context: Context,
  old: readonly Old[],
  connections: Connections,
): Promise<void> {
  try {
    await context.queue.run(async () => {
      const still = stillOld(context, old);
      const open = await openFlows(context, still);
      for (const { entry, slot } of still) {
        if (open(entry, slot, 'udp') > 0) await cut(context, entry, slot, 'udp');
        if (connections === 'cut' && open(entry, slot, 'tcp') > 0) await cut(context, entry, slot, 'tcp');
      }
    });
  } catch (error) {
    note(context, [], 'late flows of a DomU that was live could not be ended', error);
  }
}

export function liveSlotOf({ primary, trial }: Entry): Slot {
  if (trial === null) return primary;
  return primary === 'a' ? 'b' : 'a';
}

/** Ends all flows of one DomU of the service, or only those of one protocol; answers how many. */
export async function end(context: Context, entry: Entry, slot: Slot, protocol: Protocol): Promise<number> {
  if (!uses(entry.service, protocol)) return 0;
  return context.kernel.deleteFlows(marksOf(context, entry, slot, protocol));
}

/**
 * Ends the flows of everybody who would be directed elsewhere now; answers how many. Who tests on this DomU stays there
 * whoever is live, and nothing of his is ended.
 */
export async function cut(context: Context, entry: Entry, slot: Slot, protocol: Protocol): Promise<number> {
  const { clock, kernel } = context;
  const sources = testersAt(entry, slot, clock.now());
  if (sources.length === 0) return end(context, entry, slot, protocol);
  if (!uses(entry.service, protocol)) return 0;
  let ended = 0;
  for await (const flows of kernel.flows(marksOf(context, entry, slot, protocol))) {
    const others = flows.filter(({ from }) => !sources.some((source) => contains(source, from)));
    const gone = await Promise.all(others.map((flow) => kernel.deleteFlow(flow)));
    ended += others.filter(({ closing }, at) => gone[at] === true && !closing).length;
  }
  return ended;
}

/** Who is directed to this DomU at that time for being a tester. */
export function testersAt(entry: Entry, slot: Slot, at: number): Network[] {
  const { testers, testing, primary } = toState(entry, at);
  return testing === 'open' && slot !== primary ? testers.map(({ source }) => source) : [];
}

/** Selects the flows of one DomU of the service, of one protocol. */
export function marksOf({ config }: Context, { id }: Entry, slot: Slot, protocol: Protocol): MarkFilter {
  return { value: encodeMark({ id, slot, protocol }, config.markMask), mask: config.markMask };
}

function uses({ ports }: Service, protocol: Protocol): boolean {
  return ports.some((port) => port.protocol === protocol);
}

function add(a: FlowCounts, b: FlowCounts): FlowCounts {
  return { kept: a.kept + b.kept, cut: a.cut + b.cut, udpFlushed: a.udpFlushed + b.udpFlushed };
}

/**
 * UDP flows to a service's address that are older than the rules that direct it were never directed, and the kernel
 * would go on sending their packets where it did: they are ended, so that the next packet is directed.
 */
export async function adoptSenders(context: Context, services: readonly Service[]): Promise<void> {
  const ports = udpPortsByAddress(services);
  if (ports.size === 0) return;
  for await (const flows of context.kernel.flows({ value: 0, mask: context.config.markMask })) {
    for (const flow of flows) {
      if (flow.protocol !== 'udp') continue;
      const own = ports.get(flow.to.text) ?? [];
      if (own.some(({ from, to }) => flow.toPort >= from && flow.toPort <= to))
        await context.kernel.deleteFlow(flow);
    }
  }
}

function udpPortsByAddress(services: readonly Service[]): Map<string, Service['ports'][number][]> {
  const ports = new Map<string, Service['ports'][number][]>();
  for (const service of services) {
    const udp = service.ports.filter(({ protocol }) => protocol === 'udp');
    if (udp.length === 0) continue;
    for (const { text } of service.addresses) ports.set(text, [...(ports.get(text) ?? []), ...udp]);
  }
  return ports;
}

/**
 * UDP flows that began while somebody had taken away what directs them: those that nobody directed, and, where the
 * choice was another, those to the DomU that is not live. Failures are noted: the repair stands.
 */
export async function endStrays(context: Context, repaired: readonly Operation[]): Promise<void> {
  const entries = [...context.entries.values()];
  const did = (...kinds: readonly Operation['kind'][]): boolean =>
    repaired.some(({ kind }) => kinds.includes(kind));
  try {
    if (did('rules', 'set-add', 'set-create')) {
      await adoptSenders(
        context,
        entries.map(({ service }) => service),
      );
    }
  } catch (error) {
    note(context, [], 'UDP flows that began while rules were missing could not be ended', error);
  }
  if (!did('choice-swap')) return;
  const onTrial = entries.filter(({ trial }) => trial !== null);
  if (onTrial.length > 0)
    await leaveOld(
      context,
      onTrial.map((entry) => ({ entry, slot: entry.primary })),
      'drain',
    );
}
