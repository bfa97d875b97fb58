import type { Addressing } from './addressing.ts';

/**
 * A .network file (systemd.network(5)). It finds the interface by its MAC, whatever the guest calls it. Router
 * advertisements are not heeded: an address that the guest gave itself would be outside of what is kept dark.
 */
export function networkdText(mac: string, all: readonly Addressing[]): string {
  const settings = all.flatMap(({ addresses, gateway }) => [
    ...addresses.map((address) => `Address=${address}`),
    ...(gateway === null ? [] : [`Gateway=${gateway}`]),
  ]);
  const lines = ['[Match]', `MACAddress=${mac}`, '', '[Network]', ...settings, 'IPv6AcceptRA=no'];
  return lines.map((line) => `${line}\n`).join('');
}
