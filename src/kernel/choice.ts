import { KernelError } from '../lib/errors.ts';
import type { Choice, SetElement, SetSpec } from '../model/kernel-state.ts';
import {
  ACTIVE_LIST,
  BANKS,
  bankNames,
  bankSets,
  CHOICE_LISTS,
  CHOICE_SETS,
  IDLE_LIST,
  otherBank,
} from './banks.ts';
import type { Bank } from './banks.ts';
import type { Swap } from './kernel.ts';
import type { IpsetClient, ListedSet } from './netlink/ipset/client.ts';

/** What the active list says; null where the choice is not whole: a set or list is missing, or a list holds no bank. */
export function choiceIn(listed: readonly ListedSet[]): Choice | null {
  const sets = new Map(listed.map((set) => [set.name, set]));
  const active = bankIn(sets.get(ACTIVE_LIST));
  if (active === null || bankIn(sets.get(IDLE_LIST)) !== otherBank(active)) return null;
  if (![...CHOICE_SETS].every((name) => sets.has(name))) return null;
  const elements = bankNames(active).flatMap((name) => sets.get(name)?.elements ?? []);
  return { elements: elements.map(({ key, expiresAt }) => ({ key, expiresAt })) };
}

/** The bank whose sets, and no other, are in this list. */
function bankIn(list: ListedSet | null | undefined): Bank | null {
  const members = list?.members ?? [];
  return BANKS.find((bank) => members.length === 4 && countOf(bank, members) === 4) ?? null;
}

const countOf = (bank: Bank, members: readonly string[]): number =>
  bankNames(bank).filter((name) => members.includes(name)).length;

/**
 * Makes the lists and banks, or what is missing of them. The bank that packets meet stays it, with what is in it;
 * where somebody has emptied the list, that is the one which the idle list does not hold.
 */
export async function createChoice(ipset: IpsetClient): Promise<void> {
  for (const spec of BANKS.flatMap(bankSets)) await ipset.create(spec);
  for (const list of CHOICE_LISTS) await ipset.createList(list, bankSets('x').length);
  const [active, idle] = await Promise.all(CHOICE_LISTS.map(async (list) => membersOf(ipset, list)));
  const bank = standingBank(active ?? [], idle ?? []);
  await setMembers(ipset, ACTIVE_LIST, active ?? [], bankNames(bank));
  await setMembers(ipset, IDLE_LIST, idle ?? [], bankNames(otherBank(bank)));
}

const membersOf = async (ipset: IpsetClient, list: string): Promise<readonly string[]> =>
  (await ipset.get(list, 0))?.members ?? [];

/** Which bank packets meet: exchanged lists are as long as before, so their heads do not tell. */
export const activeMembers = (ipset: IpsetClient): Promise<readonly string[]> =>
  membersOf(ipset, ACTIVE_LIST);

function standingBank(active: readonly string[], idle: readonly string[]): Bank {
  const votes = (bank: Bank): number => 5 * countOf(bank, active) + countOf(otherBank(bank), idle);
  return votes('y') > votes('x') ? 'y' : 'x';
}

/** Strangers go first, for a list holds no more than its four. */
async function setMembers(
  ipset: IpsetClient,
  list: string,
  present: readonly string[],
  wanted: readonly string[],
): Promise<void> {
  for (const name of present) if (!wanted.includes(name)) await ipset.removeFromList(list, name);
  for (const name of wanted) if (!present.includes(name)) await ipset.addToList(list, name);
}

/** Absent is fine. The active list goes first: while a rule reads it this is EBUSY, and nothing has changed. */
export async function destroyChoice(ipset: IpsetClient): Promise<void> {
  for (const name of CHOICE_SETS) await ipset.destroy(name);
}

/** Fills the idle bank and exchanges it, and remembers which one that is: a switch has no time to look it up. */
export class Choosing {
  readonly #ipset: IpsetClient;
  #idle: Bank | null = null;

  constructor(ipset: IpsetClient) {
    this.#ipset = ipset;
  }

  /**
   * Fills the idle bank with exactly these elements; answers the exchange, which is one message. KernelError ENOENT
   * where the choice is not whole.
   */
  async prepare({ elements }: Choice, now: number): Promise<{ commit(): Promise<Swap> }> {
    const idle = await this.#idleBank();
    const swap = this.#ipset.prepareSwap(ACTIVE_LIST, IDLE_LIST);
    await this.#ipset.fill(
      bankSets(idle).map((spec) => ({
        spec,
        elements: elements.filter((element) => belongs(element, spec)),
      })),
      now,
    );
    return {
      commit: async () => {
        this.#idle = null;
        const done = await commit(swap);
        this.#idle = otherBank(idle);
        return done;
      },
    };
  }

  /** What is filled must not be what packets meet, and others may exchange lists too: it is asked every time. */
  async #idleBank(): Promise<Bank> {
    const known = this.#idle;
    if (known !== null && (await this.#isIdle(known))) return known;
    return (this.#idle = await idleBank(this.#ipset));
  }

  #isIdle(bank: Bank): Promise<boolean> {
    return this.#ipset.hold([
      { list: IDLE_LIST, members: bankNames(bank) },
      { list: ACTIVE_LIST, members: bankNames(otherBank(bank)) },
    ]);
  }
}

async function idleBank(ipset: IpsetClient): Promise<Bank> {
  const [active, idle] = await Promise.all(CHOICE_LISTS.map((list) => ipset.get(list, 0)));
  const bank = bankIn(idle);
  if (bank !== null && bankIn(active) === otherBank(bank)) return bank;
  throw new KernelError(
    `the sets of ${ACTIVE_LIST} are not whole: somebody has changed them; nothing was changed`,
    {
      code: 'ENOENT',
      hint: 'the next reconcile makes them again',
    },
  );
}

function belongs({ key }: SetElement, { type, family }: SetSpec): boolean {
  const [address = ''] = key.split(',');
  return (address !== key) === (type === 'hash:ip,port') && address.includes(':') === (family === 6);
}

async function commit(swap: () => Promise<void>): Promise<Swap> {
  const sent = process.hrtime.bigint();
  await swap();
  return { flipMicros: Number(process.hrtime.bigint() - sent) / 1000, familySkewMicros: 0 };
}
