import { Turn } from '../../../lib/turn.ts';
import type { Traffic } from '../../kernel.ts';
import { addressText } from '../address-bytes.ts';
import { readAttributes, readString } from '../attributes.ts';
import type { NetlinkMessage } from '../message.ts';
import { NFGEN_HEADER } from '../netfilter.ts';
import * as nl from './protocol.ts';

/** NLA_TYPE_MASK (linux/netlink.h): without the flags for nested attributes and byte order. */
const TYPE = 0x3fff;
const HEADER = 4;
/** The one type of set whose elements are addresses alone. */
const PLAIN = 'hash:ip';
/** What a set had at its last dump, in the kernel's order, which stays while nothing is added or removed. */
interface Seen {
  /** Four for each element: its address, as it stands in the message; an IPv4 address is the first. */
  words: Uint32Array;
  readonly keys: string[];
  /** How the elements of the dump under way are written. */
  layout: Layout | null;
  /** The last dump of which all elements were told, and what was told. */
  told: { readonly dump: readonly Buffer[]; readonly traffic: ReadonlyMap<string, Traffic> } | null;
}

/** What a dump has told so far. */
interface Found {
  readonly traffic: Map<string, Traffic>;
  readonly only: ReadonlySet<string> | null;
  /** Of the next element. */
  place: number;
}

/** Where things are in an element, in words of four bytes. */
interface Layout {
  readonly length: number;
  readonly address: number;
  /** How many words of it are its address. */
  readonly size: number;
  readonly packets: number;
  readonly bytes: number;
  /** Every other word, and what it is: headers, which are the same in each element of a set. */
  readonly others: readonly number[];
  readonly values: readonly number[];
}

/**
 * The counters in dumps of sets of addresses, which monitoring reads by the ten thousand: nothing is made of an element
 * but its numbers, and an address has the text that it had at its place in the dump before.
 */
export class CounterReader {
  readonly #seen = new Map<string, Seen>();

  /**
   * By key, from the messages of a dump of the set of this name, of all elements or of `only` these; null where it is no
   * set of addresses, or the answer is not as the kernel writes it today: whoever asked then reads it attribute by
   * attribute. The very same map as before while nothing has been counted since.
   */
  async read(
    name: string,
    messages: readonly NetlinkMessage[],
    only: ReadonlySet<string> | null = null,
  ): Promise<ReadonlyMap<string, Traffic> | null> {
    if (typeOf(messages[0]) !== PLAIN) return null;
    const found: Found = { traffic: new Map(), only, place: 0 };
    const seen = this.#seen.get(name) ?? {
      words: new Uint32Array(4 * 64),
      keys: [],
      layout: null,
      told: null,
    };
    this.#seen.set(name, seen);
    const dump = messages.map(({ payload }) => payload);
    if (only === null && seen.told !== null && isSameDump(dump, seen.told.dump)) return seen.told.traffic;
    seen.layout = null;
    const turn = new Turn();
    for (const payload of dump) {
      if (!readElements(payload, seen, found)) return null;
      if (turn.isOver) await turn.pass();
    }
    seen.keys.length = found.place;
    if (only === null) seen.told = { dump, traffic: found.traffic };
    return found.traffic;
  }
}

const isSameDump = (one: readonly Buffer[], other: readonly Buffer[]): boolean =>
  one.length === other.length && one.every((payload, at) => payload.equals(other[at] as Buffer));

function readElements(payload: Buffer, seen: Seen, found: Found): boolean {
  const elements = findAttribute(payload, NFGEN_HEADER, payload.length, nl.IPSET_ATTR_ADT);
  if (elements === 0) return true;
  const end = elements + payload.readUInt16LE(elements);
  const words = wordsOf(payload);
  for (let at = elements + HEADER; at + HEADER <= end;) {
    const { layout } = seen;
    if (layout !== null && at + layout.length <= end && readAlike(words, at >> 2, layout, seen, found)) {
      at += layout.length;
      continue;
    }
    const length = payload.readUInt16LE(at);
    if (length < HEADER || at + length > end || !readElement(payload, at, at + length, seen, found))
      return false;
    at += (length + 3) & ~3;
  }
  return true;
}

/** None where it does not begin at a word: then nothing is alike. */
function wordsOf({ buffer, byteOffset, length }: Buffer): Uint32Array {
  return byteOffset % 4 === 0 ? new Uint32Array(buffer, byteOffset, length >> 2) : new Uint32Array();
}

/**
 * Whether the element is written as the first one, and has the address that was at its place in the dump before:
 * then it costs next to nothing.
 */
function readAlike(words: Uint32Array, at: number, layout: Layout, seen: Seen, found: Found): boolean {
  const { others, values, address, size } = layout;
  const key = seen.keys[found.place];
  if (key === undefined || words.length === 0) return false;
  for (let index = 0; index < others.length; index++)
    if (words[at + (others[index] ?? 0)] !== values[index]) return false;
  const first = 4 * found.place;
  for (let word = 0; word < size; word++)
    if (words[at + address + word] !== seen.words[first + word]) return false;
  found.place++;
  if (found.only !== null && !found.only.has(key)) return true;
  const [packets, bytes] = [u64In(words, at + layout.packets), u64In(words, at + layout.bytes)];
  found.traffic.set(key, { packets, bytes });
  return true;
}

/** In network order, as in `readU64`. */
const u64In = (words: Uint32Array, at: number): number =>
  swapped(words[at] ?? 0) * 2 ** 32 + swapped(words[at + 1] ?? 0);

const swapped = (word: number): number =>
  ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;

function layoutOf(payload: Buffer, start: number, end: number, places: Places): Layout | null {
  const length = (end - start + 3) & ~3;
  if (start % 4 !== 0 || payload.length < start + length) return null;
  const [address, packets, bytes] = [places.address, places.packets, places.bytes].map(
    (at) => (at - start) >> 2,
  );
  if (address === undefined || packets === undefined || bytes === undefined) return null;
  const taken = new Set([packets, packets + 1, bytes, bytes + 1]);
  for (let word = 0; word < places.size; word++) taken.add(address + word);
  const others = Array.from({ length: length >> 2 }, (_, word) => word).filter((word) => !taken.has(word));
  const values = others.map((word) => payload.readUInt32LE(start + 4 * word));
  return { length, address, size: places.size, packets, bytes, others, values };
}

/** Bytes from the beginning of the message; `size` in words. */
interface Places {
  address: number;
  size: number;
  packets: number;
  bytes: number;
}

function readElement(payload: Buffer, start: number, end: number, seen: Seen, found: Found): boolean {
  let key: string | null = null;
  let packets = 0;
  let bytes = 0;
  const places: Places = { address: 0, size: 0, packets: 0, bytes: 0 };
  for (let at = start + HEADER; at + HEADER <= end;) {
    const length = payload.readUInt16LE(at);
    if (length < HEADER || at + length > end) return false;
    switch (payload.readUInt16LE(at + 2) & TYPE) {
      case nl.IPSET_ATTR_IP:
        key = textIn(payload, at, length, seen, found.place);
        places.address = at + 2 * HEADER;
        places.size = (length - 2 * HEADER) >> 2;
        break;
      case nl.IPSET_ATTR_PACKETS:
        packets = readU64(payload, at, length);
        places.packets = at + HEADER;
        break;
      case nl.IPSET_ATTR_BYTES:
        bytes = readU64(payload, at, length);
        places.bytes = at + HEADER;
        break;
      // What changes the meaning of an address: a network, or "nomatch".
      case nl.IPSET_ATTR_CIDR:
      case nl.IPSET_ATTR_CADT_FLAGS:
        return false;
    }
    at += (length + 3) & ~3;
  }
  if (key === null || Number.isNaN(packets + bytes)) return false;
  found.place++;
  if (found.only?.has(key) !== false) found.traffic.set(key, { packets, bytes });
  if (places.packets > 0 && places.bytes > 0) seen.layout ??= layoutOf(payload, start, end, places);
  return true;
}

/** IPSET_ATTR_IP holds one attribute of either family: a header, then the address. `place`: its place in the dump. */
function textIn(payload: Buffer, at: number, length: number, seen: Seen, place: number): string | null {
  const [start, size] = [at + 2 * HEADER, length - 2 * HEADER];
  if (size !== 4 && size !== 16) return null;
  const first = 4 * place;
  if (first + 4 > seen.words.length) {
    const words = new Uint32Array(2 * seen.words.length);
    words.set(seen.words);
    seen.words = words;
  }
  let same = seen.keys[place] !== undefined;
  for (let word = 0; word < 4; word++) {
    const value = 4 * word < size ? payload.readUInt32LE(start + 4 * word) : 0;
    if (seen.words[first + word] === value) continue;
    seen.words[first + word] = value;
    same = false;
  }
  if (!same) seen.keys[place] = addressText(payload.subarray(start, start + size));
  return seen.keys[place] ?? null;
}

function typeOf(head: NetlinkMessage | undefined): string | null {
  if (head === undefined) return null;
  const type = readAttributes(head.payload.subarray(NFGEN_HEADER)).get(nl.IPSET_ATTR_TYPENAME);
  return type === undefined ? null : readString(type);
}

/** Where the header of the first attribute of this type is; 0 where there is none. */
function findAttribute(payload: Buffer, start: number, end: number, type: number): number {
  for (let at = start; at + HEADER <= end;) {
    const length = payload.readUInt16LE(at);
    if (length < HEADER || at + length > end) return 0;
    if ((payload.readUInt16LE(at + 2) & TYPE) === type) return at;
    at += (length + 3) & ~3;
  }
  return 0;
}

/** Of the attribute whose header is there; exact up to 2^53, nearly so beyond. NaN where it is no such number. */
function readU64(payload: Buffer, at: number, length: number): number {
  if (length !== HEADER + 8) return NaN;
  return payload.readUInt32BE(at + HEADER) * 2 ** 32 + payload.readUInt32BE(at + HEADER + 4);
}
