import type { Operation } from '../model/operation.ts';
import { renderRestore } from '../render/restore.ts';
import type { Neighbours } from './announce.ts';
import { createChoice, destroyChoice } from './choice.ts';
import type { Choosing } from './choice.ts';
import type { Iptables } from './iptables/iptables.ts';
import type { LinkClient } from './links/client.ts';
import type { IpsetClient } from './netlink/ipset/client.ts';
import { writeSysctl } from './sysctl.ts';

interface Parts {
  readonly links: LinkClient;
  readonly ipset: IpsetClient;
  readonly choosing: Choosing;
  readonly iptables: Iptables;
  readonly neighbours: Neighbours;
  now(): number;
}

type Of<Kind extends Operation['kind']> = Extract<Operation, { readonly kind: Kind }>;
type Appliers = { readonly [Kind in Operation['kind']]: (operation: Of<Kind>) => Promise<void> };

/** Answers what carries out one operation. Each may be carried out again; what is so already is left alone. */
export function applier(parts: Parts): (operation: Operation) => Promise<void> {
  const appliers: Appliers = { ...linkAppliers(parts), ...setAppliers(parts) };
  return (operation) => {
    const apply = appliers[operation.kind] as (operation: Operation) => Promise<void>;
    return apply(operation);
  };
}

type LinkKind = Extract<Operation['kind'], `bridge-${string}` | `member-${string}` | `address-${string}`>;

function linkAppliers({ links, neighbours }: Parts): Pick<Appliers, LinkKind> {
  return {
    'bridge-add': ({ bridge }) => links.addBridge(bridge.name),
    'bridge-up': ({ bridge }) => links.setBridgeUp(bridge.name),
    'bridge-delete': ({ bridge }) => links.deleteBridge(bridge.name),
    'member-add': ({ bridge, link }) => links.addMember(bridge, link),
    'member-remove': ({ bridge, link }) => links.removeMember(bridge, link),
    'address-add': async ({ address: { link, address, announce } }) => {
      const added = await links.addAddress(link, address);
      if (added && announce) neighbours.soon(link, { family: address.family, text: address.address });
    },
    'address-delete': ({ address }) => links.deleteAddress(address.link, address.address),
  };
}

function setAppliers(parts: Parts): Omit<Appliers, LinkKind> {
  const { choosing, ipset, iptables } = parts;
  return {
    sysctl: ({ key, value }) => writeSysctl(key, value),
    'set-create': ({ set }) => ipset.create(set),
    'set-destroy': ({ set }) => ipset.destroy(set.name),
    'set-add': ({ set, elements }) => ipset.add(set, elements, parts.now()),
    'set-delete': ({ set, elements }) => ipset.remove(set, elements),
    'choice-create': () => createChoice(ipset),
    'choice-swap': async ({ choice }) => {
      const prepared = await choosing.prepare(choice, parts.now());
      await prepared.commit();
    },
    'choice-destroy': () => destroyChoice(ipset),
    rules: ({ family, tables }) => iptables.restore(family, renderRestore(family, tables)),
  };
}
