/**
 * Who there is in the lab and where: plain data. Addresses are of the documentation ranges (RFC 5737, RFC 3849)
 * and of private ones (RFC 1918, RFC 4193).
 */
export type LabFamily = 4 | 6;
export type LabProtocol = 'tcp' | 'udp';

export interface Addresses {
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface LabPort {
  readonly protocol: LabProtocol;
  readonly from: number;
  readonly to: number;
  /** The DomU's port where it differs. */
  readonly target?: number;
  /** The server says its name and closes at once: for load. */
  readonly brief?: boolean;
}

export interface LabDomu extends Addresses {
  readonly name: string;
  /** The Dom0's end of its link. */
  readonly vif: string;
}

/** `ipv4` and `ipv6` are the service's addresses on the uplink. */
export interface LabService extends Addresses {
  readonly name: string;
  readonly bridge: string;
  readonly gateway: Addresses;
  readonly networks: Addresses;
  readonly ports: readonly LabPort[];
  readonly domus: readonly [LabDomu, LabDomu];
}

export const CLIENT_NAMES = ['customer', 'tester', 'beta', 'admin', 'neighbour'] as const;
export type ClientName = (typeof CLIENT_NAMES)[number];

export interface LabClient extends Addresses {
  readonly network: string;
  readonly who: string;
}

/** `ipv4` and `ipv6`: the outside router's own addresses there. */
export interface LabNetwork extends Addresses {
  readonly name: string;
}

export const DOM0: Addresses = { ipv4: '192.0.2.1', ipv6: '2001:db8::1' };

const UPLINK = { name: 'uplink', ipv4: '192.0.2.254', ipv6: '2001:db8::fe' };
export const NETWORKS: readonly LabNetwork[] = [
  UPLINK,
  { name: 'access', ipv4: '198.51.100.1', ipv6: '2001:db8:100::1' },
  { name: 'beta', ipv4: '203.0.113.1', ipv6: '2001:db8:200::1' },
  { name: 'admin', ipv4: '10.9.0.1', ipv6: 'fd00:9::1' },
];

export const CLIENTS: Readonly<Record<ClientName, LabClient>> = {
  customer: { network: 'access', ipv4: '198.51.100.20', ipv6: '2001:db8:100::20', who: 'a customer' },
  tester: { network: 'access', ipv4: '198.51.100.7', ipv6: '2001:db8:100::7', who: 'a tester' },
  beta: {
    network: 'beta',
    ipv4: '203.0.113.9',
    ipv6: '2001:db8:200::9',
    who: 'somebody in a network of testers',
  },
  admin: { network: 'admin', ipv4: '10.9.0.5', ipv6: 'fd00:9::5', who: 'an administrator' },
  neighbour: {
    network: 'uplink',
    ipv4: '192.0.2.77',
    ipv6: '2001:db8::77',
    who: "a host on the Dom0's own network",
  },
};

export const TESTERS = ['198.51.100.7', '203.0.113.0/24', '2001:db8:100::7', '2001:db8:200::/64'];
export const ADMINS = ['10.9.0.0/24', 'fd00:9::/64'];

const tcp = (from: number, to = from): LabPort => ({ protocol: 'tcp', from, to });
const MAIL_PORTS: readonly LabPort[] = [
  tcp(25),
  tcp(993),
  { protocol: 'udp', from: 514, to: 514 },
  { ...tcp(8000, 8009), brief: true },
  { ...tcp(80), target: 8080 },
];
const LDAP_PORTS: readonly LabPort[] = [
  tcp(389),
  tcp(636),
  { protocol: 'udp', from: 389, to: 389 },
  { ...tcp(8000, 8009), brief: true },
];

interface Place {
  readonly name: string;
  readonly vip: Addresses;
  /** The first three octets, and the IPv6 prefix before `::`. */
  readonly net4: string;
  readonly net6: string;
  readonly ports: readonly LabPort[];
}

const NAMED: readonly Place[] = [
  {
    name: 'mail',
    vip: { ipv4: '192.0.2.25', ipv6: '2001:db8::25' },
    net4: '10.50.0',
    net6: 'fd00:50',
    ports: MAIL_PORTS,
  },
  {
    name: 'ldap',
    vip: { ipv4: '192.0.2.38', ipv6: '2001:db8::38' },
    net4: '10.60.0',
    net6: 'fd00:60',
    ports: LDAP_PORTS,
  },
];

export const MOST_SERVICES = 150;

/** mail, ldap, then `svc-3` and so on. At most 150: the uplink's network has no more addresses. */
export function labServices(count: number): LabService[] {
  if (!Number.isInteger(count) || count < 1 || count > MOST_SERVICES) {
    throw new RangeError(`a lab has 1 to ${MOST_SERVICES} services, not ${count}`);
  }
  return Array.from({ length: count }, (_, index) => serviceAt(NAMED[index] ?? numbered(index), index));
}

function numbered(index: number): Place {
  return {
    name: `svc-${index + 1}`,
    vip: { ipv4: `192.0.2.${100 + index}`, ipv6: `2001:db8::1:${index.toString(16)}` },
    net4: `10.70.${index}`,
    net6: `fd00:70:${index.toString(16)}`,
    ports: LDAP_PORTS,
  };
}

function serviceAt({ name, vip, net4, net6, ports }: Place, index: number): LabService {
  const domu = (letter: string, host: number, domain: number): LabDomu => ({
    name: `${name}-${letter}`,
    ipv4: `${net4}.${host}`,
    ipv6: `${net6}::${host}`,
    vif: `vif${domain}.0`,
  });
  return {
    name,
    ...vip,
    bridge: `br-${name}`,
    gateway: { ipv4: `${net4}.1`, ipv6: `${net6}::1` },
    networks: { ipv4: `${net4}.0/24`, ipv6: `${net6}::/64` },
    ports,
    domus: [domu('a', 2, 2 * index + 1), domu('b', 3, 2 * index + 2)],
  };
}

export const addressOf = (who: Addresses, family: LabFamily): string => (family === 4 ? who.ipv4 : who.ipv6);
