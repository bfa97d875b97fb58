import type { KernelState } from '../model/kernel-state.ts';
import { TABLES } from '../model/kernel-state.ts';
import type { Family } from '../model/address.ts';
import type { Service } from '../model/service.ts';
import {
  guardChain,
  quarantineChain,
  serviceChain,
  setName,
  targetChain,
  testersSet,
} from '../plan/names.ts';

/** One rule as iptables(8) `-S` writes it. */
export interface KernelRule {
  readonly family: Family;
  readonly table: string;
  readonly rule: string;
}

export interface KernelRules {
  readonly rules: readonly KernelRule[];
  readonly sets: readonly {
    readonly name: string;
    readonly elements: readonly { readonly key: string; readonly expiresAt: number | null }[];
  }[];
}

/** Of all that the kernel holds, what is about this service: its own chains, and rules elsewhere that name it. */
export function rulesAbout(state: KernelState, service: Service): KernelRules {
  const own = ownChains(service.name);
  const words = wordsOf(service);
  const rules = ([4, 6] as const).flatMap((family) =>
    TABLES.flatMap((table) =>
      [...state.tables[family][table].chains].flatMap(([chain, lines]) =>
        lines
          .filter((line) => own.has(chain) || mentions(line, words))
          .map((line) => ({ family, table, rule: `-A ${chain} ${line}` })),
      ),
    ),
  );
  return { rules, sets: setsAbout(state, service) };
}

/** Names and addresses in the kernel that are this service's and no other's, but for an address that services share. */
export const wordsOf = (service: Service): ReadonlySet<string> =>
  new Set([
    ...ownChains(service.name),
    service.bridge.name,
    ...testerSets(service.name),
    ...addressesOf(service),
  ]);

function ownChains(name: string): ReadonlySet<string> {
  const slots = ['a', 'b'] as const;
  const each = slots.flatMap((slot) => [
    targetChain(name, slot),
    quarantineChain(name, slot),
    guardChain(name, slot),
  ]);
  return new Set([serviceChain(name), ...each]);
}

const testerSets = (name: string): string[] => ([4, 6] as const).map((family) => testersSet(name, family));

const addressesOf = ({ addresses, domus }: Service): string[] =>
  [...addresses, ...domus.flatMap((domu) => domu.addresses)].map(({ text }) => text);

/** Word by word, so that `mail` is not found in `mail2`. */
const mentions = (line: string, words: ReadonlySet<string>): boolean =>
  line.split(/[\s,/]|:(?=\d+$)/).some((word) => words.has(word));

function setsAbout(state: KernelState, service: Service): KernelRules['sets'] {
  const testers = new Set(testerSets(service.name));
  const addresses = new Set(addressesOf(service));
  const about = (key: string): boolean => addresses.has(key.split(/[,/]/, 1)[0] ?? '');
  const sets = state.sets.flatMap(({ name, elements }) => {
    const mine = testers.has(name) ? elements : elements.filter(({ key }) => about(key));
    return mine.length > 0 ? [{ name, elements: mine }] : [];
  });
  const choice = (state.choice?.elements ?? []).filter(({ key }) => about(key));
  return choice.length === 0 ? sets : [{ name: setName('trial', 4), elements: choice }, ...sets];
}
