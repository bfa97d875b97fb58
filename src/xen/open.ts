import { existsSync, readFileSync } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import type { Hypervisor } from './hypervisor.ts';
import { NoHypervisor } from './none.ts';
import { Xl } from './xl.ts';

/** Where xenstored listens (XEN_RUN_STORED, fixed when Xen's tools are built); it does so in the Dom0 alone. */
const SOCKET = '/var/run/xenstored/socket';
/** Documentation/ABI/stable/sysfs-hypervisor-xen of the kernel: `xen`, and for Dom0 a uuid of zeros. */
const HYPERVISOR = '/sys/hypervisor';
const DOM0 = /^[0-]+$/;

/** What this host's guests are asked of; decided once, for a host does not get or lose Xen while it runs. */
export function openHypervisor({ clock, wanted }: { clock: Clock; wanted: 'auto' | 'off' }): Hypervisor {
  if (wanted === 'off') return new NoHypervisor('the configuration says xen: off');
  if (existsSync(SOCKET)) return new Xl({ socket: SOCKET, clock });
  if (read('type') !== 'xen') return new NoHypervisor('this host does not run under Xen');
  if (!DOM0.test(read('uuid'))) return new NoHypervisor('this is a guest of Xen itself, and no Dom0');
  return new Xl({ socket: SOCKET, clock });
}

function read(name: string): string {
  try {
    return readFileSync(`${HYPERVISOR}/${name}`, 'latin1').trim();
  } catch {
    return '';
  }
}
