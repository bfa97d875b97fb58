import { useEffect, useState } from 'preact/hooks';
import type { CpuFlowView, CpuView } from '../../api/contract.ts';
import { get } from './api.ts';
import { link } from './store.ts';

/** What the host's CPU does for one DomU's packets; shares are of one core. */
export interface Cost {
  readonly domu: string;
  readonly packetsPerSecond: number;
  readonly cpu: number;
  /** Of it, what a plain bridge would not have taken. */
  readonly overhead: number;
  /** Nanoseconds a packet, towards the DomU and from it; null: never measured yet. */
  readonly nanos: { readonly in: number | null; readonly out: number | null };
}

export interface Costs {
  readonly mode: Exclude<CpuView['mode'], 'off'>;
  /** Why it was measured so and no better; empty for the best. */
  readonly why: string;
  readonly domus: readonly Cost[];
}

/** Milliseconds between two looks, and how many of them a mean is made of: one interval of the meter says little. */
const EVERY = 2000;
const LOOKS = 6;

/** While somebody looks; of all services where none is named. null: the meter is off, or has seen nothing yet. */
export function useCosts(service?: string, every = EVERY): Costs | null {
  const [costs, setCosts] = useState<Costs | null>(null);
  const isLive = link.value === 'live';
  useEffect(() => {
    if (!isLive) return undefined;
    let looks: readonly CpuView[] = [];
    const abort = new AbortController();
    const path = service === undefined ? '/v1/cpu' : `/v1/cpu?service=${encodeURIComponent(service)}`;
    const look = async (): Promise<void> => {
      if (document.hidden) return;
      const view = await get<CpuView>(path, abort.signal);
      looks = [...looks, view].slice(-LOOKS);
      setCosts(costsOf(looks[0] ?? view, view));
    };
    // A director that is still starting has no meter yet.
    const lookOrNot = (): void => void look().catch(() => undefined);
    const timer = setInterval(lookOrNot, every);
    lookOrNot();
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [service, every, isLive]);
  return costs;
}

function costsOf(before: CpuView, now: CpuView): Costs | null {
  const { mode, why } = now;
  if (mode === 'off' || now.flows.every(({ packets }) => packets === 0)) return null;
  const old = new Map(before.flows.map((flow) => [keyOf(flow), flow]));
  const seconds = (Date.parse(now.at) - Date.parse(before.at)) / 1000;
  const domus = new Map<string, Cost>();
  for (const flow of now.flows)
    domus.set(flow.domu, added(domus.get(flow.domu), flow, ratesOf(old.get(keyOf(flow)), flow, seconds)));
  return { mode, why, domus: [...domus.values()] };
}

const keyOf = ({ domu, direction }: CpuFlowView): string => `${domu} ${direction}`;

type Shares = Pick<Cost, 'packetsPerSecond' | 'cpu' | 'overhead'>;

/** Means between two looks; of the meter's last interval where there is but one, or where it began anew between them. */
function ratesOf(before: CpuFlowView | undefined, now: CpuFlowView, seconds: number): Shares {
  if (before === undefined || seconds <= 0 || before.packets > now.packets)
    return { packetsPerSecond: now.packetsPerSecond, cpu: now.cpuShare, overhead: now.overheadShare };
  return {
    packetsPerSecond: (now.packets - before.packets) / seconds,
    cpu: Math.max(now.cpuSeconds - before.cpuSeconds, 0) / seconds,
    overhead: Math.max(now.overheadSeconds - before.overheadSeconds, 0) / seconds,
  };
}

function added(
  before: Cost | undefined,
  { domu, direction, nanosPerPacket }: CpuFlowView,
  add: Shares,
): Cost {
  return {
    domu,
    packetsPerSecond: (before?.packetsPerSecond ?? 0) + add.packetsPerSecond,
    cpu: (before?.cpu ?? 0) + add.cpu,
    overhead: (before?.overhead ?? 0) + add.overhead,
    nanos: { in: null, out: null, ...before?.nanos, [direction]: nanosPerPacket },
  };
}
