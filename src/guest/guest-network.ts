import { INTERFACE_NAME } from '../model/service.ts';
import type { Domu, Service } from '../model/service.ts';
import { addressingOf } from './addressing.ts';
import { interfacesText } from './interfaces.ts';
import { guestMacs, macKey } from './macs.ts';
import { networkdText } from './networkd.ts';
import { vifLine } from './vif-line.ts';
import type { Vif } from './vif-line.ts';

/** udev's name of a Xen guest's first interface since systemd 250 (systemd.net-naming-scheme(7)); before, eth0. */
export const GUEST_INTERFACE = 'enX0';

/** What a guest's two sides are told, as text to be pasted. */
export interface GuestNetwork {
  readonly service: string;
  readonly domu: string;
  readonly bridge: string;
  readonly vifs: readonly Pick<Vif, 'name' | 'mac' | 'ip'>[];
  /** With prefix lengths. */
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
  /** The line for the DomU's xl.cfg(5). */
  readonly xl: string;
  /** For the guest's /etc/network/interfaces. */
  readonly interfaces: string;
  /** For the guest's /etc/systemd/network. */
  readonly networkd: string;
  /** What is to be known of it, a sentence or two each. */
  readonly notes: readonly string[];
}

/**
 * Null where the service has no such DomU. `services` are all of the configuration, in its order: their MAC addresses
 * must differ. `name`: what the guest calls its interface.
 */
export function guestNetwork(
  services: readonly Service[],
  service: Service,
  domuName: string,
  name = GUEST_INTERFACE,
): GuestNetwork | null {
  const domu = service.domus.find((each) => each.name === domuName);
  if (domu === undefined) return null;
  const vifs = vifsOf(services, service, domu);
  const all = addressingOf(service.bridge, domu);
  return {
    service: service.name,
    domu: domu.name,
    bridge: service.bridge.name,
    vifs: vifs.map(({ name, mac, ip }) => ({ name, mac, ip })),
    addresses: all.flatMap(({ addresses }) => addresses),
    gateways: all.flatMap(({ gateway }) => gateway ?? []),
    xl: vifLine(vifs),
    interfaces: interfacesText(name, all),
    networkd: networkdText(vifs[0]?.mac ?? '', all),
    notes: notesOf(domu),
  };
}

/** The addresses are the first one's. */
function vifsOf(services: readonly Service[], { name: service, bridge }: Service, domu: Domu): Vif[] {
  const macs = guestMacs(services);
  const names = domu.vifs.length === 0 ? [null] : domu.vifs;
  const ip = domu.addresses.filter(({ family }) => family === 4).map(({ text }) => text);
  return names.map((name, at) => ({
    name,
    mac: domu.macs?.[at] ?? macs.get(macKey(service, domu.name, at)) ?? '',
    bridge: bridge.name,
    ip: at === 0 ? ip : [],
  }));
}

/** `vifDOMID.DEVID`: what xl calls a vif that it is told no name of (xl-network-configuration(5), vifname). */
const XENS_OWN = /^vif\d+\.\d+$/;

function notesOf({ name, vifs }: Domu): string[] {
  const wanted = INTERFACE_NAME.test(`vif-${name}`) ? `vif-${name}` : 'a name of its own';
  const notes = vifs
    .filter((vif) => XENS_OWN.test(vif))
    .map(
      (vif) =>
        `${vif} is what Xen itself calls a vif of the guest with that number, which is another one after each start. The director finds it by its MAC all the same; for everybody else ${wanted} in the director's configuration is better.`,
    );
  if (vifs.length === 0)
    notes.push(
      `The configuration names no vif of ${name}, so its name changes with each start. In a Dom0 the director finds it by its MAC all the same; for everybody else vifs: [${wanted}] is better.`,
    );
  if (vifs.length > 1) notes.push('The addresses are on the first vif alone.');
  return notes;
}
