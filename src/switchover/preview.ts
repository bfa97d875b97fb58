import { Refusal } from '../lib/errors.ts';
import { encodeMark } from '../model/mark.ts';
import type { HealthReport } from '../model/records.ts';
import type { Connections, Protocol } from '../model/service.ts';
import { otherSlot } from '../model/state.ts';
import type { Slot } from '../model/state.ts';
import type { Context } from './context.ts';
import type { SwitchOrder } from './director.ts';
import { healthOf } from './fitness.ts';
import type { Entry } from './registry.ts';
import { domuAt } from './registry.ts';
import { checkHold, checkTimes, mustFind, refuseUnswitchable, termsOf } from './switch-over.ts';

/** One service of a switch that nobody has asked for yet. */
export interface PreviewedService {
  readonly service: string;
  /** Names of the DomUs that everybody leaves and goes to. */
  readonly from: string;
  readonly target: string;
  /** Of the target, as it was found last. */
  readonly health: HealthReport;
  /** Flows to the DomU that everybody leaves, by what becomes of them. */
  readonly tcp: number;
  readonly udp: number;
  /** Flows that the target has already: testers, mostly. */
  readonly targetFlows: number;
}

export interface PreviewedRefusal {
  /** Null: it is the order as a whole. */
  readonly service: string | null;
  readonly text: string;
  /** `force` would switch all the same. */
  readonly forceable: boolean;
}

/** Milliseconds; null is "never", for the hold "none". */
export interface SwitchPreview {
  readonly connections: Connections;
  readonly drainFor: number | null;
  readonly confirmWithin: number | null;
  readonly hold: number | null;
  readonly services: readonly PreviewedService[];
  readonly refusals: readonly PreviewedRefusal[];
}

/**
 * What a switch would do, and all that speaks against it. Changes nothing, and probes nobody: the switch itself will.
 * Throws Refusal for a service that is unknown.
 */
export async function preview(context: Context, order: SwitchOrder): Promise<SwitchPreview> {
  const entries = [...new Set(order.services)].map((name) => mustFind(context, name));
  const flows = await context.kernel.countFlows(context.config.markMask);
  const count = ({ id }: Entry, slot: Slot, protocol: Protocol): number =>
    flows.get(encodeMark({ id, slot, protocol }, context.config.markMask)) ?? 0;
  return {
    ...termsOf(order, entries),
    hold: order.hold ?? null,
    services: entries.map((entry) => {
      const [from, to] = [entry.primary, otherSlot(entry.primary)];
      return {
        service: entry.service.name,
        from: domuAt(entry, from).name,
        target: domuAt(entry, to).name,
        health: healthOf(context, entry.service.name, domuAt(entry, to).name),
        tcp: count(entry, from, 'tcp'),
        udp: count(entry, from, 'udp'),
        targetFlows: count(entry, to, 'tcp') + count(entry, to, 'udp'),
      };
    }),
    refusals: [
      ...entries.flatMap((entry) => refusalsOf(context, order, entry)),
      ...refused(null, () => checkHold(order)),
      ...refused(null, () => checkTimes(termsOf(order, entries).confirmWithin)),
    ],
  };
}

function refusalsOf(context: Context, order: SwitchOrder, entry: Entry): PreviewedRefusal[] {
  const { name } = entry.service;
  const target = domuAt(entry, otherSlot(entry.primary)).name;
  const { status, reason } = healthOf(context, name, target);
  const sick =
    status === 'unhealthy' && order.force !== true
      ? [{ service: name, text: `${target} is not healthy: ${reason ?? ''}`, forceable: true }]
      : [];
  return [...refused(name, () => refuseUnswitchable(context, entry, order.to)), ...sick];
}

function refused(service: string | null, check: () => void): PreviewedRefusal[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return [{ service, text: error.message, forceable: false }];
  }
}
