import { guestMacs, macKey } from '../guest/macs.ts';
import type { Domu, Service } from '../model/service.ts';
import { domainNamed } from './hypervisor.ts';
import type { Domain, DomainVif } from './hypervisor.ts';

/** What Xen has of a DomU. */
export interface Guest {
  readonly domain: Domain | null;
  /**
   * Interfaces in this host that are to be on the service's bridge; some of them need not exist. Without those that
   * Xen's script is not done with (DomainVif.connected).
   */
  readonly vifs: readonly string[];
}

type Wanted = Pick<Service, 'name' | 'bridge' | 'domus'>;

/** Neither name can have a space in it. */
export const guestKey = (service: string, domu: string): string => `${service} ${domu}`;

export const domainName = ({ name, domain }: Domu): string => domain ?? name;

/** `vifDOMID.DEVID`: what a vif without a `vifname` is called (xl-network-configuration(5)). */
const XENS_OWN = /^vif\d+\.(\d+)$/;

/**
 * Finds each DomU's domain by its name, and its vifs whatever the domain's number is. A vif is the DomU's if its MAC is
 * (the configuration's, or the one that `director vif` gives), if the configuration names it, if it has the device
 * number of one that the configuration names in Xen's own way (`vif1.0`: the first), or if the guest's configuration
 * puts it on the service's bridge anyway; others of the same guest are for other networks. A name of Xen's own that
 * the configuration has from an earlier start may be another guest's by now, and then is left to it.
 */
export function matchGuests(services: readonly Wanted[], domains: readonly Domain[]): Map<string, Guest> {
  const domus = services.flatMap((service) => service.domus.map((domu) => ({ service, domu })));
  const macs = guestMacs(services);
  const owners = new Map(
    domus.flatMap(({ domu }) => {
      const domain = domainNamed(domains, domainName(domu));
      return domain === undefined ? [] : [[domain, domu] as const];
    }),
  );
  const everywhere = domains.flatMap((domain) => domain.vifs.map((vif) => ({ domain, vif })));
  const unready = new Set(everywhere.flatMap(({ vif }) => (vif.connected ? [] : [vif.name])));
  const found = new Map<string, Guest>();
  const taken = new Set<string>();
  for (const { service, domu } of domus) {
    const domain = domainNamed(domains, domainName(domu)) ?? null;
    const own = macsOf(service, domu, macs);
    const mine = everywhere.filter(({ domain: its, vif }) => {
      const owner = owners.get(its);
      // A domain that is called otherwise: one that is just coming from another host (NAME--incoming).
      if (owner === undefined) return own.has(vif.mac) || (domain === null && domu.vifs.includes(vif.name));
      return owner === domu && isOurs(vif, service, domu, own);
    });
    const ready = mine.flatMap(({ vif }) => (vif.connected ? [vif.name] : []));
    const named = domu.vifs.filter((name) => !XENS_OWN.test(name) && !unready.has(name));
    const vifs = [...new Set([...ready, ...named])].filter((name) => !taken.has(name));
    for (const name of vifs) taken.add(name);
    found.set(guestKey(service.name, domu.name), { domain, vifs });
  }
  return found;
}

function macsOf(service: Wanted, domu: Domu, macs: ReadonlyMap<string, string>): Set<string> {
  const given = (domu.vifs.length === 0 ? [null] : domu.vifs).map(
    (_, at) => macs.get(macKey(service.name, domu.name, at)) ?? '',
  );
  return new Set([...given, ...(domu.macs ?? [])].filter((mac) => mac !== ''));
}

function isOurs(vif: DomainVif, { bridge }: Wanted, { vifs }: Domu, macs: ReadonlySet<string>): boolean {
  if (macs.has(vif.mac) || vifs.includes(vif.name) || vif.bridge === bridge.name) return true;
  return vifs.some((name) => XENS_OWN.exec(name)?.[1] === String(vif.device));
}
