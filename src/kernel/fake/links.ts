import { formatNetwork } from '../../model/address.ts';
import type { InterfaceAddress } from '../../model/address.ts';
import { refusal, withEntry } from './state.ts';
import type { FakeAddress, FakeLink, FakeState } from './state.ts';

export function requireLink(state: FakeState, name: string): FakeLink {
  const link = state.links.get(name);
  if (link === undefined) throw refusal('ENOENT', `there is no interface ${name}`);
  return link;
}

function bridgeOf(state: FakeState, name: string): FakeLink {
  const link = requireLink(state, name);
  if (link.kind !== 'bridge') throw refusal('EOPNOTSUPP', `${name} is not a bridge`);
  return link;
}

const replaceLink = (state: FakeState, link: FakeLink): FakeState => ({
  ...state,
  links: withEntry(state.links, link.name, link),
});

export function createLink(
  state: FakeState,
  name: string,
  as: Pick<FakeLink, 'kind' | 'ours' | 'up'>,
): FakeState {
  const index = Math.max(...[...state.links.values()].map((link) => link.index)) + 1;
  const mac = `02:00:00:00:00:${index.toString(16).padStart(2, '0').slice(-2)}`;
  return replaceLink(state, { name, index, mac, master: null, mtu: 1500, ...as });
}

/** An interface goes, and with it its addresses and settings; what was on a bridge of this name is on none. */
export function dropLink(state: FakeState, name: string): FakeState {
  const links = [...state.links.values()]
    .filter((link) => link.name !== name)
    .map((link) => (link.master === name ? { ...link, master: null } : link));
  return {
    ...state,
    links: new Map(links.map((link) => [link.name, link])),
    addresses: state.addresses.filter(({ link }) => link !== name),
    sysctls: new Map([...state.sysctls].filter(([key]) => !key.split('/').includes(name))),
  };
}

export function bridgeAdd(state: FakeState, name: string): FakeState {
  const link = state.links.get(name);
  if (link === undefined) return createLink(state, name, { kind: 'bridge', ours: true, up: true });
  if (link.kind !== 'bridge') throw refusal('EEXIST', `${name} is there and is not a bridge`);
  return link.up ? state : replaceLink(state, { ...link, up: true });
}

export function bridgeUp(state: FakeState, name: string): FakeState {
  const bridge = bridgeOf(state, name);
  return bridge.up ? state : replaceLink(state, { ...bridge, up: true });
}

export function bridgeDelete(state: FakeState, name: string): FakeState {
  if (!state.links.has(name)) return state;
  if (!bridgeOf(state, name).ours) throw refusal('EPERM', `the bridge ${name} was not made by the director`);
  return dropLink(state, name);
}

export function memberAdd(state: FakeState, bridge: string, name: string): FakeState {
  bridgeOf(state, bridge);
  const link = requireLink(state, name);
  if (link.kind === 'bridge') throw refusal('ELOOP', `${name} is a bridge, which cannot be put on a bridge`);
  return link.master === bridge ? state : replaceLink(state, { ...link, master: bridge });
}

/** A link that is gone, or on another bridge by now, is not on this one: nothing to do. */
export function memberRemove(state: FakeState, bridge: string, name: string): FakeState {
  const link = state.links.get(name);
  return link?.master === bridge ? replaceLink(state, { ...link, master: null }) : state;
}

const sameAddress = (a: InterfaceAddress, b: InterfaceAddress): boolean =>
  formatNetwork(a) === formatNetwork(b);

function findAddress(state: FakeState, link: string, address: InterfaceAddress): FakeAddress | undefined {
  return state.addresses.find((entry) => entry.link === link && sameAddress(entry.address, address));
}

/** One that is there already is adopted: whoever put it there keeps it. */
export function addressAdd(state: FakeState, { link, address, ours }: FakeAddress): FakeState {
  requireLink(state, link);
  if (findAddress(state, link, address) !== undefined) return state;
  return { ...state, addresses: [...state.addresses, { link, address, ours }] };
}

export function addressDelete(state: FakeState, link: string, address: InterfaceAddress): FakeState {
  const found = findAddress(state, link, address);
  if (found === undefined) return state;
  if (!found.ours) {
    throw refusal(
      'EPERM',
      `the address ${formatNetwork(address)} on ${link} was not put there by the director`,
    );
  }
  return dropAddress(state, link, address);
}

export function dropAddress(state: FakeState, link: string, address: InterfaceAddress): FakeState {
  const gone = findAddress(state, link, address);
  return { ...state, addresses: state.addresses.filter((entry) => entry !== gone) };
}

/** Somebody puts a link on a bridge, or takes it off. */
export function setMaster(state: FakeState, name: string, bridge: string | null): FakeState {
  const link = requireLink(state, name);
  return bridge === null ? replaceLink(state, { ...link, master: null }) : memberAdd(state, bridge, name);
}

export function foreignAddress(state: FakeState, link: string, address: InterfaceAddress): FakeState {
  return addressAdd(state, { link, address, ours: false });
}
