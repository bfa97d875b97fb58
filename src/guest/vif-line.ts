import { DirectorError } from '../lib/errors.ts';

export interface Vif {
  /** The interface's name in the Dom0; null where the configuration names none. */
  readonly name: string | null;
  readonly mac: string;
  readonly bridge: string;
  /** IPv4 addresses; see `vifLine`. */
  readonly ip: readonly string[];
}

/** A comma begins the next keyword and nothing escapes it; a quote, a backslash or a line's end would leave the string. */
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;

/**
 * The `vif` line of xl.cfg(5): `vif = [ 'KEY=VALUE,...', ... ]` (xl-network-configuration(5)). `ip` is handed to the
 * hotplug script: vif-bridge splits it at spaces and gives each address to iptables, so those of IPv6 must not be
 * there. DirectorError for a value that the quotes would not hold.
 */
export function vifLine(vifs: readonly Vif[]): string {
  return `vif = [ ${vifs.map((vif) => `'${vifSpec(vif)}'`).join(', ')} ]`;
}

function vifSpec({ name, mac, bridge, ip }: Vif): string {
  return [
    `mac=${plain(mac)}`,
    `bridge=${plain(bridge)}`,
    ...(name === null ? [] : [`vifname=${plain(name)}`]),
    ...(ip.length === 0 ? [] : [`ip=${ip.map(plain).join(' ')}`]),
  ].join(',');
}

function plain(value: string): string {
  if (PLAIN.test(value)) return value;
  throw new DirectorError(
    `${JSON.stringify(value)} cannot stand in an xl configuration; nothing was written`,
  );
}
