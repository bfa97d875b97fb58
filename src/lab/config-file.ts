import { stringify } from 'yaml';
import { ADMINS, TESTERS } from './topology.ts';
import type { LabPort, LabService } from './topology.ts';

export interface ConfigOptions {
  /** Holds the socket and the state. */
  readonly directory: string;
  /** Where it listens on TCP too, such as `127.0.0.1:8440`. */
  readonly http?: string;
  /** Goes into each service's `cutover`. */
  readonly cutover?: Readonly<Record<string, string>>;
  /** Merged over each service's definition. */
  readonly service?: Readonly<Record<string, unknown>>;
  /** Merged over the whole. */
  readonly top?: Readonly<Record<string, unknown>>;
}

export const socketOf = (directory: string): string => `${directory}/director.sock`;

/** The configuration file of a director in the lab's Dom0. */
export function configText(services: readonly LabService[], options: ConfigOptions): string {
  return stringify({
    listen: {
      socket: socketOf(options.directory),
      ...(options.http === undefined ? {} : { http: options.http }),
    },
    state: `${options.directory}/state`,
    uplink: 'eth0',
    ...options.top,
    services: Object.fromEntries(services.map((service) => [service.name, definitionOf(service, options)])),
  });
}

/** A service as the file and `PUT /v1/services/{name}` define it. */
export function definitionOf(
  service: LabService,
  options: Omit<ConfigOptions, 'directory'> = {},
): Record<string, unknown> {
  const { gateway } = service;
  return {
    addresses: [service.ipv4, service.ipv6],
    announce: true,
    ports: service.ports.map(portText),
    bridge: { name: service.bridge, gateway: [`${gateway.ipv4}/24`, `${gateway.ipv6}/64`] },
    domus: service.domus.map(({ name, ipv4, ipv6, vif }) => ({ name, addresses: [ipv4, ipv6], vifs: [vif] })),
    testers: [...TESTERS],
    admins: [...ADMINS],
    cutover: { connections: 'drain', drainFor: '5m', confirmWithin: '10m', ...options.cutover },
    // Often, so that nobody in the lab waits for a DomU to be found healthy.
    health: { every: '1s', timeout: '500ms' },
    ...options.service,
  };
}

function portText({ protocol, from, to, target }: LabPort): unknown {
  const port = `${from === to ? from : `${from}-${to}`}/${protocol}`;
  return target === undefined ? port : { port, to: target };
}
