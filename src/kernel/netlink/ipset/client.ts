import { setTimeout as sleep } from 'node:timers/promises';
import { KernelError, isBusy, isExists, isNotFound } from '../../../lib/errors.ts';
import type { SetElement, SetSpec } from '../../../model/kernel-state.ts';
import type { Traffic } from '../../kernel.ts';
import { dumpWhole } from '../connection.ts';
import type { NetlinkConnection, NetlinkMessage, Request } from '../connection.ts';
import { NetlinkRefusal } from '../errno.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../message.ts';
import { ADDRESS_FAMILY, AF_UNSPEC } from '../netfilter.ts';
import { CounterReader } from './counters.ts';
import {
  beginningWith,
  decodeLine,
  decodeRevision,
  decodeSetsInTurns,
  sizesOfHeads,
  sumOfHeads,
} from './decode.ts';
import type { ListedSet } from './decode.ts';
import * as encode from './encode.ts';
import type { Batch } from './encode.ts';
import { IPSET_ERR_BUSY, explain } from './errors.ts';
import { LIST_TYPE } from './protocol.ts';
import type { Command } from './protocol.ts';

export type { ListedElement, ListedSet } from './decode.ts';

/** How often, and after how many milliseconds each, a set is tried again that somebody lists at this moment. */
const BUSY_TRIES = 20;
const BUSY_PAUSE = 2;
/** Elements of others' sets that are read, and thrown away, so that all sets come in one dump. */
const MOST_STRANGERS = 1000;

/**
 * Sets of the kernel, over ipset's own netlink messages (what ipset(8) does). Failures are KernelError: ENOENT where a
 * set does not exist, EEXIST where one of another kind does, EBUSY where it is in use, else the errno's name or
 * `IPSET_4096` and up. The connection should be opened with `nameErrno: nameIpsetErrno`.
 */
export class IpsetClient {
  readonly #connection: NetlinkConnection;
  readonly #revisions = new Map<string, number>();
  readonly #counters = new CounterReader();

  constructor(connection: NetlinkConnection) {
    this.#connection = connection;
  }

  /** Makes an empty set. One that exists with the same type, family, timeouts and counters is left as it is. */
  async create(spec: SetSpec): Promise<void> {
    await this.#explained(
      `set ${spec.name} (${spec.type}) could not be made`,
      'nothing was changed',
      async () => {
        const revision = await this.#revision(spec.type, ADDRESS_FAMILY[spec.family]);
        await this.#createOr(encode.encodeCreate(spec, revision), spec.name, (there) =>
          sameKind(there, spec),
        );
      },
    );
  }

  /** Makes an empty list:set. One that exists is left as it is. */
  async createList(name: string, size: number): Promise<void> {
    await this.#explained(`list ${name} could not be made`, 'nothing was changed', async () => {
      const revision = await this.#revision(LIST_TYPE, AF_UNSPEC);
      await this.#createOr(
        encode.encodeCreateList(name, size, revision),
        name,
        (there) => there.type === LIST_TYPE,
      );
    });
  }

  /** A set that does not exist is fine. */
  async destroy(name: string): Promise<void> {
    await this.#explained(`set ${name} could not be destroyed`, 'it is as it was', async () => {
      try {
        await this.#whileBusy(() => this.#send('destroy', encode.encodeNamed(name), NLM_F_EXCL));
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    });
  }

  async flush(name: string): Promise<void> {
    await this.#explained(`set ${name} could not be emptied`, 'it is as it was', () =>
      this.#send('flush', encode.encodeNamed(name)),
    );
  }

  async swap(a: string, b: string): Promise<void> {
    await this.prepareSwap(a, b)();
  }

  /**
   * The answer exchanges the two sets with one message and does nothing else beforehand: when the call returns its
   * promise, the message is in the kernel unless others of this connection wait for their answers.
   */
  prepareSwap(a: string, b: string): () => Promise<void> {
    const payload = encode.encodeSwap(a, b);
    const what = `sets ${a} and ${b} could not be exchanged`;
    return () =>
      this.#explained(what, 'both are as they were', () =>
        this.#whileBusy(() => this.#send('swap', payload)),
      );
  }

  /**
   * Makes each of these sets hold exactly these elements, one set after the other. Where it fails, some of them may be
   * as they should be, some empty, and some as they were. `now` and `expiresAt`: milliseconds since the epoch.
   */
  async fill(
    contents: readonly { readonly spec: SetSpec; readonly elements: readonly SetElement[] }[],
    now: number,
  ): Promise<void> {
    const requests = contents.flatMap(({ spec, elements }) => [
      { type: encode.commandType('flush'), payload: encode.encodeNamed(spec.name) },
      ...encode
        .encodeElements(spec, elements, now)
        .map(({ payload }) => ({ type: encode.commandType('add'), payload })),
    ]);
    const names = contents.map(({ spec }) => spec.name).join(', ');
    await this.#explained(`sets ${names} could not be filled`, 'what is in them does not count yet', () =>
      // All are on their way before the first is answered, and the connection keeps their order.
      Promise.all(inDatagrams(requests).map((some) => this.#connection.requestAll(some))),
    );
  }

  /** Whether each list is there and holds these members; others may be in it too. */
  async hold(
    lists: readonly { readonly list: string; readonly members: readonly string[] }[],
  ): Promise<boolean> {
    const requests = lists.flatMap(({ list, members }) =>
      members.map((member) => ({
        type: encode.commandType('test'),
        payload: encode.encodeMember(list, member),
      })),
    );
    try {
      await this.#connection.requestAll(requests);
      return true;
    } catch (error) {
      if (error instanceof NetlinkRefusal) return false;
      throw explain(error, 'lists of sets could not be asked for what they hold', 'nothing was changed');
    }
  }

  /** Elements that are there already get the new timeout. `now` and `expiresAt`: milliseconds since the epoch. */
  async add(spec: SetSpec, elements: readonly SetElement[], now: number): Promise<void> {
    await this.#each('add', spec, elements, encode.encodeElements(spec, elements, now));
  }

  /** Elements that are not there are fine. */
  async remove(spec: SetSpec, elements: readonly Pick<SetElement, 'key'>[]): Promise<void> {
    const batches = encode.encodeElements(
      spec,
      elements.map(({ key }) => ({ key, expiresAt: null })),
      null,
    );
    await this.#each('remove', spec, elements, batches);
  }

  /** A member that is in the list already is fine. */
  async addToList(list: string, member: string): Promise<void> {
    await this.#explained(`set ${member} could not be put into list ${list}`, 'the list is as it was', () =>
      this.#send('add', encode.encodeMember(list, member)),
    );
  }

  /** A member that is not in the list is fine. */
  async removeFromList(list: string, member: string): Promise<void> {
    await this.#explained(
      `set ${member} could not be taken out of list ${list}`,
      'the list is as it was',
      () => this.#send('remove', encode.encodeMember(list, member)),
    );
  }

  /**
   * The sets whose names begin with `prefix`, in the kernel's order; each is consistent with itself. `now`: answers
   * milliseconds since the epoch. `lists`: names of lists of sets, which are asked for where the kernel does not tell of
   * them: when all places are taken that it has for sets (256, 320 and so on), whoever asks for all of them is told of no
   * list (ip_set_core.c, ip_set_dump_do: the pass for lists follows the end of a loop that the last place has left).
   */
  async list(prefix: string, now: () => number, lists: readonly string[] = []): Promise<ListedSet[]> {
    const listed = await this.#listAll(prefix, now);
    const names = new Set(listed.map(({ name }) => name));
    for (const name of lists) {
      const list = names.has(name) ? null : await this.get(name, now());
      if (list !== null) listed.push(list);
    }
    return listed;
  }

  async #listAll(prefix: string, now: () => number): Promise<ListedSet[]> {
    const sizes = await sizesOfHeads(await this.#dumpAll(encode.encodeListHeads()));
    const own = [...sizes.keys()].filter((name) => name.startsWith(prefix));
    const elements = (names: readonly string[]): number =>
      names.reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
    // All at once is much cheaper, unless others have huge sets (of what they block, for one).
    const strangers = elements([...sizes.keys()]) - elements(own);
    if (strangers <= MOST_STRANGERS) {
      const { at, messages } = await promptly(now, () => this.#dumpAll(encode.encodeListAll()));
      return decodeSetsInTurns(beginningWith(prefix, messages), at);
    }
    const sets: ListedSet[] = [];
    for (const name of own) {
      const set = await this.get(name, now());
      if (set !== null) sets.push(set);
    }
    return sets;
  }

  #dumpAll(payload: Buffer): Promise<NetlinkMessage[]> {
    return this.#explained('the sets could not be listed', 'nothing was changed', () =>
      dumpWhole(this.#connection, encode.commandType('list'), payload),
    );
  }

  /** A sum over the heads of the sets whose names begin with `prefix`; it changes with a set's number of elements. */
  async heads(prefix: string): Promise<string> {
    const messages = await this.#dumpAll(encode.encodeListHeads());
    return sumOfHeads(messages, prefix);
  }

  /** null where it does not exist. */
  async get(name: string, now: number): Promise<ListedSet | null> {
    return this.#explained(`set ${name} could not be listed`, 'nothing was changed', () =>
      this.#list(name, now, false),
    );
  }

  /** Counters of the elements of a set, by key, of all or of `only` these; null where it does not exist. */
  async counters(name: string, only?: ReadonlySet<string>): Promise<ReadonlyMap<string, Traffic> | null> {
    return this.#explained(
      `the counters of set ${name} could not be read`,
      'nothing was changed',
      async () => {
        const messages = await this.#dumpOf(name, false);
        if (messages === null) return null;
        const found = await this.#counters.read(name, messages, only);
        if (found !== null) return found;
        const [set] = await decodeSetsInTurns(messages, 0);
        const elements = set?.elements.filter(({ key }) => only?.has(key) !== false);
        return new Map(elements?.map(({ key, packets, bytes }) => [key, { packets, bytes }]));
      },
    );
  }

  async #list(name: string, now: number, head: boolean): Promise<ListedSet | null> {
    const messages = await this.#dumpOf(name, head);
    return messages === null ? null : ((await decodeSetsInTurns(messages, now))[0] ?? null);
  }

  /** null where it does not exist. */
  async #dumpOf(name: string, head: boolean): Promise<NetlinkMessage[] | null> {
    try {
      return await dumpWhole(this.#connection, encode.commandType('list'), encode.encodeList(name, head));
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }

  async #createOr(payload: Buffer, name: string, same: (there: ListedSet) => boolean): Promise<void> {
    try {
      await this.#send('create', payload, NLM_F_CREATE | NLM_F_EXCL);
    } catch (error) {
      if (!isExists(error)) throw error;
      const there = await this.#list(name, 0, true);
      if (there !== null && same(there)) return;
      throw new KernelError(
        `there is another set of that name: ${there === null ? 'gone again' : kind(there)}`,
        {
          code: 'EEXIST',
          cause: error,
          hint: `See "ipset list ${name}". If it is none of yours, "director teardown" removes it with all else of the director's, and a restart makes everything anew.`,
        },
      );
    }
  }

  async #revision(type: string, family: number): Promise<number> {
    const key = `${type} ${family}`;
    const known = this.#revisions.get(key);
    if (known !== undefined) return known;
    const query = encode.encodeTypeQuery(type, family);
    const [answer] = await this.#connection.request(encode.commandType('type'), 0, query);
    const revision = decodeRevision(answer);
    this.#revisions.set(key, revision);
    return revision;
  }

  async #each(
    command: Command,
    spec: SetSpec,
    elements: readonly Pick<SetElement, 'key'>[],
    batches: readonly Batch[],
  ): Promise<void> {
    for (const { payload, first } of batches) {
      try {
        await this.#send(command, payload);
      } catch (error) {
        const line = error instanceof NetlinkRefusal ? decodeLine(error.echo) : 0;
        const culprit = line === 0 ? `one from number ${first + 1} on` : (elements[line - 1]?.key ?? '');
        const done = line === 0 ? first : line - 1;
        throw explain(
          error,
          `set ${spec.name}: could not ${command} ${culprit}`,
          `${done} of ${elements.length} elements were done before it`,
        );
      }
    }
  }

  async #send(command: Command, payload: Buffer, flags = 0): Promise<void> {
    await this.#connection.request(encode.commandType(command), flags, payload);
  }

  async #explained<T>(what: string, state: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw explain(error, what, state);
    }
  }

  /** While anybody lists a set the kernel exchanges and destroys it not (ip_set_core.c: ref_netlink). */
  async #whileBusy(work: () => Promise<void>): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await work();
        return;
      } catch (error) {
        if (tries === BUSY_TRIES || !(isBusy(error) || isSetBusy(error))) throw error;
      }
      await sleep(BUSY_PAUSE);
    }
  }
}

/** Bytes; a datagram is sent as one piece, and a refusal repeats what it refuses. */
const MOST_TOGETHER = 64 * 1024;

function inDatagrams(requests: readonly Request[]): Request[][] {
  const datagrams: Request[][] = [];
  let room = 0;
  for (const request of requests) {
    const open = datagrams.at(-1);
    if (open !== undefined && request.payload.length <= room) open.push(request);
    else datagrams.push([request]);
    room = (open === datagrams.at(-1) ? room : MOST_TOGETHER) - request.payload.length;
  }
  return datagrams;
}

/** Timeouts are told as seconds that are left, so an answer that was long under way says little of when they end. */
const PROMPT_MS = 500;
const PROMPT_TRIES = 3;

/** What the kernel answers, and when it did; asked again where a busy host took its time over it. */
async function promptly<T>(
  now: () => number,
  ask: () => Promise<T>,
): Promise<{ readonly at: number; readonly messages: T }> {
  for (let tries = 1; ; tries++) {
    const at = now();
    const messages = await ask();
    if (now() - at < PROMPT_MS || tries === PROMPT_TRIES) return { at, messages };
  }
}

const isSetBusy = (error: unknown): boolean => error instanceof KernelError && error.code === IPSET_ERR_BUSY;

function sameKind(there: ListedSet, spec: SetSpec): boolean {
  return (
    there.type === spec.type &&
    there.family === spec.family &&
    there.timeouts === spec.timeouts &&
    there.counters === spec.counters
  );
}

function kind({ type, family, timeouts, counters }: ListedSet): string {
  const extras = [timeouts ? 'timeouts' : '', counters ? 'counters' : ''].filter((text) => text !== '');
  return [type, family === null ? '' : `IPv${family}`, ...extras].filter((text) => text !== '').join(' ');
}
