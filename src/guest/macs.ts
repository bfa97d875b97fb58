import { createHash } from 'node:crypto';
import type { Service } from '../model/service.ts';

/**
 * The assigned prefix of Xen's guests (IEEE OUI 00-16-3E, xl-network-configuration(5)), with the highest bit of the
 * fourth octet set: where no address is given xl makes one up with that bit clear (libxl__device_nic_set_default), so
 * it never makes up one of ours. What is left are 23 bits.
 */
const PREFIX = '00:16:3e';
const OURS = 0x80;

type Named = Pick<Service, 'name' | 'domus'>;

/**
 * MAC addresses of all DomUs' vifs by `macKey`: unicast, in Xen's own range, unique among these services. Names alone
 * decide them; where two would be the same, the later one in this order steps aside, so a service that is added at the
 * end changes none. A DomU without configured vifs has one.
 */
export function guestMacs(services: readonly Named[]): Map<string, string> {
  const macs = new Map<string, string>();
  const taken = new Set<string>();
  for (const { name: service, domus } of services) {
    for (const domu of domus) {
      for (let vif = 0; vif < Math.max(domu.vifs.length, 1); vif++) {
        const key = macKey(service, domu.name, vif);
        const mac = firstFree(key, taken);
        taken.add(mac);
        macs.set(key, mac);
      }
    }
  }
  return macs;
}

/** Neither name can have a space in it. */
export const macKey = (service: string, domu: string, vif: number): string => `${service} ${domu} ${vif}`;

function firstFree(key: string, taken: ReadonlySet<string>): string {
  for (let attempt = 0; ; attempt++) {
    const mac = macOf(attempt === 0 ? key : `${key} ${attempt}`);
    if (!taken.has(mac)) return mac;
  }
}

function macOf(text: string): string {
  const [first = 0, second = 0, third = 0] = createHash('sha256')
    .update(`dom0-director vif ${text}`)
    .digest();
  const octets = [first | OURS, second, third].map((octet) => octet.toString(16).padStart(2, '0'));
  return [PREFIX, ...octets].join(':');
}
