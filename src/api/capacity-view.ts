import type { HostLoad, LinkCounters } from '../capacity/host-load.ts';
import type { ServiceSnapshot } from '../model/records.ts';
import { domuOf } from '../model/state.ts';
import type { CapacityView } from './contract.ts';

type DomuRates = CapacityView['domus'][number];

export function capacityView(
  load: HostLoad,
  services: readonly ServiceSnapshot[],
  now: number,
): CapacityView {
  const { seconds, cores, cpu, links } = load;
  return {
    at: new Date(now).toISOString(),
    seconds,
    cores,
    cpu: { ...cpu },
    domus: services.flatMap(({ state }) =>
      (['primary', 'secondary'] as const).map((role): DomuRates => {
        const { name, vifs } = domuOf(state, role);
        const found = vifs.flatMap((vif) => links.get(vif) ?? []);
        return { service: state.service.name, domu: name, role, vifs: [...vifs], ...ratesOf(found) };
      }),
    ),
  };
}

function ratesOf(
  vifs: readonly LinkCounters[],
): Pick<DomuRates, 'packetsIn' | 'packetsOut' | 'bytesIn' | 'bytesOut'> {
  if (vifs.length === 0) return { packetsIn: null, packetsOut: null, bytesIn: null, bytesOut: null };
  const sum = (name: keyof LinkCounters): number => vifs.reduce((total, vif) => total + vif[name], 0);
  return {
    packetsIn: sum('txPackets'),
    packetsOut: sum('rxPackets'),
    bytesIn: sum('txBytes'),
    bytesOut: sum('rxBytes'),
  };
}
