import { CLIENTS, CLIENT_NAMES, DOM0, NETWORKS } from './topology.ts';
import type { Addresses, LabService } from './topology.ts';

/** Everything that ip(8) and sysctl(8) are told to make the lab; pure, so that it can be read and tested. */
export interface Wiring {
  /** Namespaces, without the lab's prefix. */
  readonly namespaces: readonly string[];
  /** For each namespace: `key=value`, before there are links (new links inherit `default`). */
  readonly sysctls: ReadonlyMap<string, readonly string[]>;
  /** Lines for `ip -batch`: links whose two ends are created in their namespaces, never in ours. */
  readonly links: readonly string[];
  /** Lines for `ip -n NAMESPACE -batch`. */
  readonly inside: ReadonlyMap<string, readonly string[]>;
}

export interface WiringOptions {
  readonly services: readonly LabService[];
  /** Whether what stays on a bridge is shown to iptables (br_netfilter); null leaves the kernel's default. */
  readonly bridgeNetfilter: boolean | null;
  /** The full name of a namespace. */
  readonly nameOf: (namespace: string) => string;
}

/** Addresses are usable at once: nothing else in here could have them (RFC 4862 section 5.4 is skipped). */
const NO_DAD = [
  'net.ipv6.conf.all.accept_dad=0',
  'net.ipv6.conf.default.accept_dad=0',
  'net.ipv6.conf.default.dad_transmits=0',
  'net.ipv6.conf.default.accept_ra=0',
];
const ROUTER = [
  'net.ipv4.ip_forward=1',
  'net.ipv6.conf.all.forwarding=1',
  'net.ipv4.conf.all.send_redirects=0',
  'net.ipv4.conf.default.send_redirects=0',
];
/** Many ports to connect from, for load. */
const CLIENT = ['net.ipv4.ip_local_port_range=1024 65535'];

export function wiringOf(options: WiringOptions): Wiring {
  const domus = options.services.flatMap((service) => service.domus);
  const namespaces = ['outside', 'dom0', ...CLIENT_NAMES, ...domus.map((domu) => domu.name)];
  return {
    namespaces,
    sysctls: new Map(namespaces.map((name) => [name, sysctlsOf(name, options.bridgeNetfilter)])),
    links: linksOf(options),
    inside: new Map([
      ['outside', outsideLines(options.services)],
      ['dom0', dom0Lines(options.services)],
      ...CLIENT_NAMES.map((name) => [name, clientLines(name, options.services)] as const),
      ...options.services.flatMap(domuLines),
    ]),
  };
}

function sysctlsOf(namespace: string, bridgeNetfilter: boolean | null): string[] {
  if (namespace === 'outside') return [...NO_DAD, ...ROUTER];
  if (namespace === 'dom0') return [...NO_DAD, ...bridgeSysctls(bridgeNetfilter)];
  return [...NO_DAD, ...CLIENT];
}

function bridgeSysctls(on: boolean | null): string[] {
  if (on === null) return [];
  return ['ip', 'ip6'].map((tables) => `net.bridge.bridge-nf-call-${tables}tables=${on ? 1 : 0}`);
}

function linksOf({ services, nameOf }: WiringOptions): string[] {
  const link = (one: string, end: string, other: string, otherEnd: string): string =>
    `link add name ${end} netns ${nameOf(one)} type veth peer name ${otherEnd} netns ${nameOf(other)}`;
  return [
    link('dom0', 'eth0', 'outside', 'to-dom0'),
    ...CLIENT_NAMES.map((client) => link(client, 'eth0', 'outside', `to-${client}`)),
    ...services.flatMap(({ domus }) => domus.map((domu) => link(domu.name, 'eth0', 'dom0', domu.vif))),
  ];
}

const up = (link: string): string => `link set dev ${link} up`;
const addressed = (link: string, { ipv4, ipv6 }: Addresses): string[] => [
  `address add ${ipv4}/24 dev ${link}`,
  `address add ${ipv6}/64 dev ${link} nodad`,
];
const routed = (to: Addresses | 'default', via: Addresses): string[] => [
  `route add ${to === 'default' ? to : to.ipv4} via ${via.ipv4}`,
  `route add ${to === 'default' ? to : to.ipv6} via ${via.ipv6}`,
];

function outsideLines(services: readonly LabService[]): string[] {
  const ports = [
    { link: 'to-dom0', network: 'uplink' },
    ...CLIENT_NAMES.map((name) => ({ link: `to-${name}`, network: CLIENTS[name].network })),
  ];
  return [
    up('lo'),
    ...NETWORKS.flatMap((network) => [
      `link add name ${network.name} type bridge mcast_snooping 0`,
      up(network.name),
      ...addressed(network.name, network),
    ]),
    ...ports.flatMap(({ link, network }) => [`link set dev ${link} master ${network}`, up(link)]),
    ...services.flatMap(({ networks }) => routed(networks, DOM0)),
  ];
}

/** The vifs are up, as Xen's hotplug scripts leave them, but on no bridge: that is the director's work. */
function dom0Lines(services: readonly LabService[]): string[] {
  return [
    up('lo'),
    up('eth0'),
    ...addressed('eth0', DOM0),
    ...routed('default', gatewayOf('uplink')),
    ...services.flatMap(({ domus }) => domus.map(({ vif }) => up(vif))),
  ];
}

/** The uplink's neighbour knows the way to the DomUs' networks, or the router would have to send it back. */
function clientLines(name: (typeof CLIENT_NAMES)[number], services: readonly LabService[]): string[] {
  const client = CLIENTS[name];
  const direct =
    client.network === 'uplink' ? services.flatMap(({ networks }) => routed(networks, DOM0)) : [];
  return [
    up('lo'),
    up('eth0'),
    ...addressed('eth0', client),
    ...routed('default', gatewayOf(client.network)),
    ...direct,
  ];
}

function domuLines({ domus, gateway }: LabService): (readonly [string, string[]])[] {
  return domus.map((domu) => [
    domu.name,
    [up('lo'), up('eth0'), ...addressed('eth0', domu), ...routed('default', gateway)],
  ]);
}

function gatewayOf(name: string): Addresses {
  const network = NETWORKS.find((candidate) => candidate.name === name);
  if (network === undefined) throw new RangeError(`there is no network "${name}" in the lab`);
  return network;
}
