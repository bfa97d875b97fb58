import type { DomainVif } from './hypervisor.ts';

/** Where the backends of all guests' vifs are that this host serves. */
export const VIFS = '/local/domain/0/backend/vif';

/** `PATH = "VALUE"`, as `xenstore-ls -f` writes it; what is not printable in a value is escaped by a backslash. */
const LINE = /^\/local\/domain\/0\/backend\/vif\/(\d+)\/(\d+)\/([a-z-]+) = "(.*)"$/;

/** The output of `xenstore-ls -f /local/domain/0/backend/vif`: vifs by domid, in the order of their numbers. */
export function parseVifs(text: string): Map<number, DomainVif[]> {
  const found = new Map<string, { domid: number; device: number; keys: Map<string, string> }>();
  for (const line of text.split('\n')) {
    const [, domid = '', device = '', key = '', value = ''] = LINE.exec(line) ?? [];
    if (key === '') continue;
    const at = `${domid}.${device}`;
    const vif = found.get(at) ?? { domid: Number(domid), device: Number(device), keys: new Map() };
    vif.keys.set(key, value);
    found.set(at, vif);
  }
  const vifs = new Map<number, DomainVif[]>();
  for (const { domid, device, keys } of [...found.values()].toSorted((a, b) => a.device - b.device)) {
    vifs.set(domid, [...(vifs.get(domid) ?? []), vifOf(domid, device, keys)]);
  }
  return vifs;
}

/** A vif by the keys of its backend's directory; one that is not there is empty, or left out. */
export function vifOf(domid: number, device: number, keys: ReadonlyMap<string, string>): DomainVif {
  const text = (key: string): string | null => keys.get(key) || null;
  return {
    device,
    name: text('vifname') ?? `vif${domid}.${device}`,
    mac: text('mac')?.toLowerCase() ?? '',
    bridge: text('bridge'),
    connected: text('hotplug-status') === 'connected',
  };
}
