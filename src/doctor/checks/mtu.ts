import type { LinkInfo } from '../../kernel/kernel.ts';
import { check } from '../check.ts';
import { fault, ok, warning, word } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';
import type { LinksSeen } from './links.ts';

export interface MtuSeen extends Pick<LinksSeen, 'uplink' | 'services'> {
  readonly links: readonly Pick<LinkInfo, 'name' | 'mtu' | 'master'>[];
}

/** Between links of a bridge nobody tells a sender that a frame was too long; between uplink and bridge, ICMP does. */
export function judgeMtu({ uplink, services, links }: MtuSeen): Verdict[] {
  const byName = new Map(links.map((link) => [link.name, link]));
  const outside = uplink === null ? undefined : byName.get(uplink);
  const found = services.flatMap(({ bridge, domus }) => {
    const own = byName.get(bridge.name);
    if (own === undefined) return [];
    const vifs = domus.flatMap((domu) => domu.vifs.flatMap((vif) => byName.get(vif) ?? []));
    return [
      ...vifs
        .filter(({ master, mtu }) => master === bridge.name && mtu !== own.mtu)
        .map((vif) => onBridge(vif, own)),
      ...(outside === undefined || outside.mtu === own.mtu ? [] : [routed(outside, own)]),
    ];
  });
  if (found.length > 0) return found;
  return services.length === 0 ? [] : [ok('the uplink, the bridges and the vifs have the same MTU')];
}

type Sized = Pick<LinkInfo, 'name' | 'mtu'>;

const setMtu = ({ name }: Sized, { mtu }: Sized): string => `ip link set dev ${word(name)} mtu ${mtu}`;

const onBridge = (vif: Sized, bridge: Sized): Verdict =>
  fault(
    `${vif.name} has an MTU of ${vif.mtu}, and ${bridge.name} of ${bridge.mtu}`,
    'a bridge drops longer frames without a word: connections open, and hang as soon as much is sent',
    setMtu(vif, bridge),
  );

const routed = (uplink: Sized, bridge: Sized): Verdict =>
  warning(
    `${uplink.name} has an MTU of ${uplink.mtu}, and ${bridge.name} of ${bridge.mtu}`,
    'longer packets depend on ICMP "fragmentation needed" reaching their senders, which firewalls on the way may drop',
    bridge.mtu < uplink.mtu ? setMtu(bridge, uplink) : setMtu(uplink, bridge),
  );

const look = async ({ uplink, services, links }: Ground): Promise<MtuSeen> => ({
  uplink,
  services,
  links: await links(),
});

export const mtuCheck = check('mtu', look, judgeMtu);
