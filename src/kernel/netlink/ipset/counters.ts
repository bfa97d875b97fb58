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
}

/**
 * The counters in dumps of sets of addresses, which monitoring reads by the ten thousand: nothing is made of an element
 * but its numbers, and an address has the text that it had at its place in the dump before.
 */
export class CounterReader {
  readonly #seen = new Map<string, Seen>();

  /**
   * By key, from the messages of a dump of the set of this name; null where it is no set of addresses, or the answer is
   * not as the kernel writes it today: whoever asked then reads it attribute by attribute.
   */
  async read(name: string, messages: readonly NetlinkMessage[]): Promise<Map<string, Traffic> | null> {
    if (typeOf(messages[0]) !== PLAIN) return null;
    const found = new Map<string, Traffic>();
    const seen = this.#seen.get(name) ?? { words: new Uint32Array(4 * 64), keys: [] };
    this.#seen.set(name, seen);
    const turn = new Turn();
    for (const { payload } of messages) {
      if (!readElements(payload, seen, found)) return null;
      if (turn.isOver) await turn.pass();
    }
    seen.keys.length = found.size;
    return found;
  }
}

function readElements(payload: Buffer, seen: Seen, found: Map<string, Traffic>): boolean {
  const elements = findAttribute(payload, NFGEN_HEADER, payload.length, nl.IPSET_ATTR_ADT);
  if (elements === 0) return true;
  const end = elements + payload.readUInt16LE(elements);
  for (let at = elements + HEADER; at + HEADER <= end;) {
    const length = payload.readUInt16LE(at);
    if (length < HEADER || at + length > end || !readElement(payload, at, at + length, seen, found))
      return false;
    at += (length + 3) & ~3;
  }
  return true;
}

function readElement(
  payload: Buffer,
  start: number,
  end: number,
  seen: Seen,
  found: Map<string, Traffic>,
): boolean {
  let key: string | null = null;
  let packets = 0;
  let bytes = 0;
  for (let at = start + HEADER; at + HEADER <= end;) {
    const length = payload.readUInt16LE(at);
    if (length < HEADER || at + length > end) return false;
    switch (payload.readUInt16LE(at + 2) & TYPE) {
      case nl.IPSET_ATTR_IP:
        key = textIn(payload, at, length, seen, found.size);
        break;
      case nl.IPSET_ATTR_PACKETS:
        packets = readU64(payload, at, length);
        break;
      case nl.IPSET_ATTR_BYTES:
        bytes = readU64(payload, at, length);
        break;
      // What changes the meaning of an address: a network, or "nomatch".
      case nl.IPSET_ATTR_CIDR:
      case nl.IPSET_ATTR_CADT_FLAGS:
        return false;
    }
    at += (length + 3) & ~3;
  }
  if (key === null || Number.isNaN(packets + bytes)) return false;
  found.set(key, { packets, bytes });
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
