import { directedAddress, familiesOf } from '../model/service.ts';
import type { Domu, Service } from '../model/service.ts';
import type { Endpoint } from './connect.ts';

/** A service with hundreds of ports is not probed on all of them. */
const MOST_PORTS = 8;

/** Where connections of this service arrive on this DomU: of a range only its first port. Empty where nothing can be probed. */
export function endpointsOf(service: Service, domu: Domu): Endpoint[] {
  const tcp = service.ports.filter((port) => port.protocol === 'tcp');
  const ports = [...new Set(tcp.map((port) => port.target ?? port.from))].slice(0, MOST_PORTS);
  return familiesOf(service).flatMap((family) => {
    const address = directedAddress(domu, family);
    return address === undefined ? [] : ports.map((port) => ({ host: address.text, port }));
  });
}

export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
