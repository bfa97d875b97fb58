import type { Addressing } from './addressing.ts';

/**
 * Stanzas of Debian's /etc/network/interfaces (interfaces(5)); a further address is a stanza of its own. Router
 * advertisements are not heeded: an address that the guest gave itself would be outside of what is kept dark.
 */
export function interfacesText(name: string, all: readonly Addressing[]): string {
  const stanzas = all.flatMap(({ family, addresses, gateway }) =>
    addresses.map((address, at) => [
      `iface ${name} ${family === 4 ? 'inet' : 'inet6'} static`,
      `    address ${address}`,
      ...(at === 0 && gateway !== null ? [`    gateway ${gateway}`] : []),
      ...(at === 0 && family === 6 ? ['    accept_ra 0', '    autoconf 0'] : []),
    ]),
  );
  return [`auto ${name}`, ...stanzas.flat()].map((line) => `${line}\n`).join('');
}
