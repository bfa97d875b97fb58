import type { Address, Family, InterfaceAddress, Network } from './address.ts';
import type { StageSettings } from './stage.ts';

/** The rules of names: they become parts of chain names (28 characters) and set names (31). */
export const SERVICE_NAME = /^[a-z][a-z0-9-]{0,15}$/;
export const DOMU_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
/** IFNAMSIZ is 16 with its final zero (linux/if.h); the kernel refuses `/`, `:` and white space. */
export const INTERFACE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/;
/** Of one interface alone: the lowest bit of the first octet is not set, which would be a group's (IEEE 802). */
export const MAC_ADDRESS = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/;

export type Protocol = 'tcp' | 'udp';
/** IP protocol numbers (RFC 9293, RFC 768). */
export const PROTOCOL_NUMBER: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17 };

/** `from` to `to`, inclusive. `target` is the DomU's port for `from` where it differs (ranges are shifted alike). */
export interface Port {
  readonly protocol: Protocol;
  readonly from: number;
  readonly to: number;
  readonly target: number | null;
}

export interface Domu {
  readonly name: string;
  /** The first of each family is where connections are directed to; all of them are kept dark. */
  readonly addresses: readonly Address[];
  readonly vifs: readonly string[];
  /** Xen's name of the guest; absent: the DomU's own. */
  readonly domain?: string;
  /** MAC addresses that the guest's own configuration gives it, lower-case; absent: those that are given out here. */
  readonly macs?: readonly string[];
}

export interface Bridge {
  readonly name: string;
  readonly gateway: readonly InterfaceAddress[];
}

export type Connections = 'drain' | 'cut';

/** What a switch does where the call says nothing. Milliseconds; null is "never". */
export interface CutoverDefaults {
  readonly connections: Connections;
  readonly drainFor: number | null;
  readonly confirmWithin: number | null;
}

/** How the director finds out whether a DomU answers. Milliseconds. */
export interface HealthCheck {
  readonly check: 'tcp' | 'off';
  readonly every: number;
  readonly timeout: number;
}

/** Where a quarantined DomU may connect to all the same: a network, and there these ports, or all where none are named. */
export interface Outlet {
  readonly to: Network;
  readonly ports: readonly Port[];
}

/** A service as somebody defined it, in the file or over the API. */
export interface Service {
  readonly name: string;
  readonly addresses: readonly Address[];
  readonly announce: boolean;
  readonly ports: readonly Port[];
  readonly bridge: Bridge;
  readonly domus: readonly [Domu, Domu];
  readonly testers: readonly Network[];
  readonly admins: readonly Network[];
  readonly cutover: CutoverDefaults;
  readonly health: HealthCheck;
  /** While a DomU is dark it opens no connections outwards but to these; null: it may do as it likes. */
  readonly quarantine: readonly Outlet[] | null;
  /** How the dark DomU is made from the live one; null: it is not. Only the file says so: it names root's programs. */
  readonly stage: StageSettings | null;
}

/** The address of a DomU that connections of this family are directed to. */
export function directedAddress(domu: Domu, family: Family): Address | undefined {
  return domu.addresses.find((address) => address.family === family);
}

export function familiesOf(service: Service): Family[] {
  return ([4, 6] as const).filter((family) => service.addresses.some((address) => address.family === family));
}

export function formatPort({ protocol, from, to }: Port): string {
  return `${from === to ? from : `${from}-${to}`}/${protocol}`;
}
