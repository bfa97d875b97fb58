import type { CpuView } from '../../src/api/contract.ts';
import type { BenchNetwork, BenchService } from './network.ts';

/** What one service's flows came to, both directions and DomUs together. */
export interface Told {
  readonly cpu: number;
  readonly overhead: number;
  readonly packets: number;
  readonly samples: number;
}

/** What the meter told of the work, once it has seen all of its packets. */
export async function metered(
  network: BenchNetwork,
  service: BenchService,
  work: () => Promise<unknown>,
): Promise<Told> {
  const before = toldOf(await settled(network, service), service);
  await work();
  const after = toldOf(await settled(network, service), service);
  return {
    cpu: after.cpu - before.cpu,
    overhead: after.overhead - before.overhead,
    packets: after.packets - before.packets,
    samples: after.samples - before.samples,
  };
}

/** A report that has every packet that the service's vif has carried. */
export async function settled(network: BenchNetwork, service: BenchService): Promise<CpuView> {
  let view = await network.cpu();
  const base = await offset(network, service);
  await network.until(async () => {
    view = await network.cpu();
    return toldOf(view, service).packets + base === (await carried(network, service));
  });
  return view;
}

/** What the vif had carried when the meter began. */
const offsets = new WeakMap<BenchNetwork, Map<string, number>>();

async function offset(network: BenchNetwork, service: BenchService): Promise<number> {
  const known = offsets.get(network)?.get(`${network.daemon.pid} ${service.name}`);
  if (known !== undefined) return known;
  let base = NaN;
  await network.until(async () => {
    const before = await carried(network, service);
    await measurements(network, 2);
    const view = await network.cpu();
    base = before - toldOf(view, service).packets;
    return (await carried(network, service)) === before;
  });
  const map = offsets.get(network) ?? new Map<string, number>();
  map.set(`${network.daemon.pid} ${service.name}`, base);
  offsets.set(network, map);
  return base;
}

/** Waits until the meter has measured so many times more: a measurement that is under way may have looked already. */
export async function measurements(network: BenchNetwork, count: number): Promise<void> {
  for (let at = (await network.cpu()).at; count > 0; count--) {
    const last = at;
    await network.until(async () => (at = (await network.cpu()).at) !== last);
  }
}

/** Packets of the service's first vif, both ways, by ip-link(8). */
async function carried(network: BenchNetwork, service: BenchService): Promise<number> {
  const text = await network.must('dom0', ['ip', '-j', '-s', 'link', 'show', 'dev', service.vifs[0]]);
  const [link] = JSON.parse(text) as [{ stats64: { rx: { packets: number }; tx: { packets: number } } }];
  return link.stats64.rx.packets + link.stats64.tx.packets;
}

export function toldOf(view: CpuView, service: BenchService): Told {
  const flows = view.flows.filter((flow) => flow.service === service.name);
  const sum = (figure: (flow: CpuView['flows'][number]) => number): number =>
    flows.reduce((all, flow) => all + figure(flow), 0);
  return {
    cpu: sum((flow) => flow.cpuSeconds),
    overhead: sum((flow) => flow.overheadSeconds),
    packets: sum((flow) => flow.packets),
    samples: sum((flow) => flow.samples),
  };
}
