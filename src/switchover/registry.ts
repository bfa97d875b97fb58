import { withReplaced } from '../lib/replaced.ts';
import type { Network } from '../model/address.ts';
import { parseNetwork } from '../model/address.ts';
import type { SwitchRecord } from '../model/records.ts';
import type { Domu, Service } from '../model/service.ts';
import { otherSlot } from '../model/state.ts';
import type { ServiceState, Slot, Tester, Testing } from '../model/state.ts';
import type { GuestInterfaces } from '../xen/guests.ts';
import { guestKey } from '../xen/match.ts';

/** A source that somebody enrolled for a time. */
export interface LeasedTester {
  readonly source: Network;
  readonly expiresAt: number | null;
  readonly note: string | null;
  readonly by: string;
}

/** All that the director knows of a service; replaced whole with every change. */
export interface Entry {
  readonly service: Service;
  readonly id: number;
  readonly slots: Readonly<Record<Slot, string>>;
  readonly primary: Slot;
  readonly testing: Testing;
  readonly heldUntil: number | null;
  readonly generation: number;
  readonly source: 'file' | 'api';
  readonly filePrint: string | null;
  readonly leases: readonly LeasedTester[];
  readonly trial: SwitchRecord | null;
  /** See ServiceState.pinned. */
  readonly pinned: boolean;
}

/** Its confirm cannot be taken back, but the rules do not show the roles yet, so that it is on trial for the kernel. */
export const isDecided = ({ trial }: Entry): boolean => trial?.state === 'confirmed';

/** What a service is once its trial is confirmed: the roles are exchanged, and the old version is nobody's to test. */
export function confirmedEntry(entry: Entry): Entry {
  return {
    ...entry,
    primary: otherSlot(entry.primary),
    trial: null,
    testing: 'closed',
    pinned: false,
    generation: entry.generation + 1,
  };
}

export type Entries = ReadonlyMap<string, Entry>;

/** On trial, held, or tested for a time: of thousands of services few are, and whatever looks at deadlines looks at these. */
const isEventful = ({ trial, heldUntil, leases }: Entry): boolean =>
  trial !== null || heldUntil !== null || leases.length > 0;

const eventful = new WeakMap<Entries, readonly Entry[]>();

export function eventfulOf(entries: Entries): readonly Entry[] {
  const known = eventful.get(entries) ?? [...entries.values()].filter(isEventful);
  eventful.set(entries, known);
  return known;
}

/** The map with some of its entries replaced. */
export function withEntries(entries: Entries, changed: readonly Entry[]): Entries {
  if (changed.length === 0) return entries;
  const values = new Map(changed.map((entry) => [entry.service.name, entry]));
  const next = withReplaced(entries, values);
  const others = eventfulOf(entries).filter(({ service }) => !values.has(service.name));
  eventful.set(next, [...others, ...[...values.values()].filter(isEventful)]);
  return next;
}

/** The same without some of them. */
export function withoutEntries(entries: Entries, names: readonly string[]): Entries {
  if (names.length === 0) return entries;
  const next = new Map(entries);
  for (const name of names) next.delete(name);
  return next;
}

/** A trial whose deadline has passed has ended, also in the kernel; who notices it first writes it down. */
function isOver({ confirmBy }: SwitchRecord, now: number): boolean {
  return confirmBy !== null && confirmBy <= now;
}

/**
 * What the kernel should hold for an entry as of `now`: what has ended by then is left out. `known`: interfaces, where
 * they are known better than by the configuration.
 */
export function toState(entry: Entry, now: number, known: GuestInterfaces | null = null): ServiceState {
  const remembered = lasting.get(entry);
  if (remembered?.known === known) return remembered.state;
  const state = stateAt(entry, now, known);
  if (endsOf(entry).length === 0) lasting.set(entry, { known, state });
  return state;
}

/** States of entries of which nothing ends by itself: whoever plans them sees that they are the same as before. */
const lasting = new WeakMap<
  Entry,
  { readonly known: GuestInterfaces | null; readonly state: ServiceState }
>();

const NONE: readonly number[] = [];

/** When something of it ends by itself: its trial, its hold, leases. */
export function endsOf({ trial, heldUntil, leases }: Entry): readonly number[] {
  if (trial === null && heldUntil === null && leases.length === 0) return NONE;
  const ends = [trial?.confirmBy ?? null, heldUntil, ...leases.map(({ expiresAt }) => expiresAt)];
  return ends.filter((end) => end !== null);
}

function stateAt(entry: Entry, now: number, known: GuestInterfaces | null): ServiceState {
  const { service, id, primary, testing, trial, pinned } = entry;
  return {
    service,
    id,
    slots: { a: withVifs(entry, 'a', known), b: withVifs(entry, 'b', known) },
    primary,
    testing,
    testers: testersOf(entry, now),
    trial: trial === null || isOver(trial, now) ? null : { switchId: trial.id, confirmBy: trial.confirmBy },
    heldUntil: entry.heldUntil !== null && entry.heldUntil > now ? entry.heldUntil : null,
    pinned,
  };
}

function withVifs(entry: Entry, slot: Slot, known: GuestInterfaces | null): Domu {
  const domu = domuAt(entry, slot);
  const vifs = known?.byDomu.get(guestKey(entry.service.name, domu.name));
  return vifs === undefined ? domu : { ...domu, vifs };
}

export function domuAt({ service, slots }: Entry, slot: Slot): Domu {
  const domu = service.domus.find(({ name }) => name === slots[slot]);
  if (domu === undefined) throw new Error(`${service.name} has no DomU ${slots[slot]}`);
  return domu;
}

function testersOf({ service, leases }: Entry, now: number): Tester[] {
  const permanent = service.testers.map((source): Tester => ({
    source,
    kind: 'permanent',
    expiresAt: null,
    note: null,
  }));
  const leased = leases
    .filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
    .map(({ source, expiresAt, note }): Tester => ({ source, kind: 'leased', expiresAt, note }));
  return [...permanent, ...leased];
}

export const sameNetwork = (a: Network, b: Network): boolean =>
  a.family === b.family && a.address === b.address && a.prefix === b.prefix;

export function leasedTester(lease: {
  source: string;
  expiresAt: number | null;
  note: string | null;
  by: string;
}): LeasedTester[] {
  const source = parseNetwork(lease.source);
  return typeof source === 'string' ? [] : [{ ...lease, source }];
}

/**
 * Which DomU sits where after a definition has changed: a name that stays keeps its slot, and a new one takes the
 * place, and so the role, of the one that it replaces.
 */
export function placeSlots(
  service: Service,
  old: Readonly<Record<Slot, string>> | null,
): Record<Slot, string> {
  const [first, second] = [service.domus[0].name, service.domus[1].name];
  if (old === null) return { a: first, b: second };
  if (old.a === second || old.b === first) return { a: second, b: first };
  return { a: first, b: second };
}
