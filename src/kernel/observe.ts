import { groupBy } from '../lib/group.ts';
import type { BridgeState, KernelState, LinkAddress, SetState } from '../model/kernel-state.ts';
import type { SetType } from '../model/kernel-state.ts';
import type { Family } from '../model/address.ts';
import { CHOICE_LISTS, CHOICE_SETS } from './banks.ts';
import { choiceIn } from './choice.ts';
import type { TableReader } from './iptables/tables.ts';
import type { Scope } from './kernel.ts';
import { isOurBridge } from './links/client.ts';
import type { LinkClient } from './links/client.ts';
import { OUR_METRIC } from './links/codec.ts';
import type { AddressRecord, LinkRecord } from './links/codec.ts';
import { needsHairpin } from './links/hairpin.ts';
import type { IpsetClient, ListedSet } from './netlink/ipset/client.ts';
import { isSetType } from './netlink/ipset/element.ts';
import { readSysctl } from './sysctl.ts';

/** All sets of ours begin so. */
export const SET_PREFIX = 'dir-';

interface Parts {
  readonly links: LinkClient;
  readonly ipset: IpsetClient;
  readonly tables: TableReader;
  readonly now: () => number;
}

/** What there is of ours, wherever it is, and what `scope` asks for. Changes nothing. */
export async function observe(parts: Parts, scope: Scope): Promise<KernelState> {
  const [links, addresses, listed, tables] = await Promise.all([
    parts.links.links(),
    parts.links.addresses(),
    parts.ipset.list(SET_PREFIX, parts.now, CHOICE_LISTS),
    parts.tables.both(scope.rules),
  ]);
  const inScope = new Set(scope.links);
  return {
    bridges: bridgesIn(links, inScope, needsHairpin()),
    addresses: addressesIn(links, addresses, inScope),
    sets: listed.filter(isPlain).map(stateOf),
    ...choiceAndCrooked(listed),
    tables,
    sysctls: sysctlsOf(scope.sysctls),
  };
}

function bridgesIn(
  links: readonly LinkRecord[],
  inScope: ReadonlySet<string>,
  hairpin: boolean,
): BridgeState[] {
  const members = groupBy(
    links.filter((link) => link.masterIndex !== null && (link.hairpin || !hairpin)),
    ({ masterIndex }) => masterIndex,
  );
  return links
    .filter((link) => link.kind === 'bridge' && (inScope.has(link.name) || isOurBridge(link)))
    .map((bridge) => ({
      name: bridge.name,
      ours: isOurBridge(bridge),
      up: bridge.up,
      members: (members.get(bridge.index) ?? []).map(({ name }) => name),
    }));
}

function addressesIn(
  links: readonly LinkRecord[],
  addresses: readonly AddressRecord[],
  inScope: ReadonlySet<string>,
): LinkAddress[] {
  const byIndex = new Map(links.map((link) => [link.index, link]));
  return addresses.flatMap(({ linkIndex, address, metric }) => {
    const link = byIndex.get(linkIndex);
    const ours = metric === OUR_METRIC;
    if (link === undefined || !(ours || inScope.has(link.name) || isOurBridge(link))) return [];
    return [{ link: link.name, address, ours, announce: false }];
  });
}

type PlainSet = ListedSet & { readonly type: SetType; readonly family: Family };

const isPlain = (set: ListedSet): set is PlainSet =>
  !CHOICE_SETS.has(set.name) && isSetType(set.type) && set.family !== null;

function choiceAndCrooked(listed: readonly ListedSet[]): Pick<KernelState, 'choice' | 'crooked'> {
  const choice = choiceIn(listed);
  const crooked = {
    sets: listed.filter((set) => !isPlain(set) && !CHOICE_SETS.has(set.name)).map(({ name }) => name),
    choice: choice === null && listed.some(({ name }) => CHOICE_SETS.has(name)),
  };
  return crooked.sets.length > 0 || crooked.choice ? { choice, crooked } : { choice };
}

function stateOf({ name, type, family, timeouts, counters, elements }: PlainSet): SetState {
  const plain = elements.map(({ key, expiresAt }) => ({ key, expiresAt }));
  return { name, type, family, timeouts, counters, elements: plain };
}

function sysctlsOf(keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    keys.flatMap((key): [string, string][] => {
      const value = readSysctl(key);
      return value === null ? [] : [[key, value]];
    }),
  );
}
