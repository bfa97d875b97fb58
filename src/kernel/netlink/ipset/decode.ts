import { createHash } from 'node:crypto';
import { inTurns } from '../../../lib/turn.ts';
import type { Family } from '../../../model/address.ts';
import {
  eachAttribute,
  readAttributes,
  readString,
  readU32be,
  readU64be,
  readU8,
  required,
} from '../attributes.ts';
import type { NetlinkMessage } from '../message.ts';
import { AF_INET, AF_INET6, NFGEN_HEADER } from '../netfilter.ts';
import { isSetType, readKey } from './element.ts';
import * as nl from './protocol.ts';

export interface ListedElement {
  /** ipset's own spelling. */
  readonly key: string;
  /** Milliseconds since the epoch, up to one second too early (the kernel tells whole seconds); null stays for good. */
  readonly expiresAt: number | null;
  /** 0 where the set has no counters. */
  readonly packets: number;
  readonly bytes: number;
}

export interface ListedSet {
  readonly name: string;
  /** One of SetType, `list:set`, or a type that is none of ours (then `elements` is empty). */
  readonly type: string;
  /** null for a list:set. */
  readonly family: Family | null;
  readonly timeouts: boolean;
  readonly counters: boolean;
  /** How many rules and lists use it. */
  readonly references: number;
  /** Of a list:set: how many members it was made for; 0 for others. */
  readonly size: number;
  readonly elements: readonly ListedElement[];
  /** Names of a list:set's members, in order. */
  readonly members: readonly string[];
}

interface Growing extends ListedSet {
  readonly elements: ListedElement[];
  readonly members: string[];
}

const FAMILY: ReadonlyMap<number, Family> = new Map([
  [AF_INET, 4],
  [AF_INET6, 6],
]);

/**
 * The sets in the messages of a dump: a set's first one has its head, and those which go on with its elements only its
 * name. `now`: milliseconds since the epoch. Throws KernelError (EBADMSG) for what cannot be read.
 */
export function decodeSets(messages: readonly NetlinkMessage[], now: number): ListedSet[] {
  const sets = new Map<string, Growing>();
  for (const message of messages) decodeInto(sets, message, now);
  return [...sets.values()];
}

/** The same; others have their turns meanwhile. */
export async function decodeSetsInTurns(
  messages: readonly NetlinkMessage[],
  now: number,
): Promise<ListedSet[]> {
  const sets = new Map<string, Growing>();
  await inTurns(messages, (message) => decodeInto(sets, message, now));
  return [...sets.values()];
}

function decodeInto(sets: Map<string, Growing>, { payload }: NetlinkMessage, now: number): void {
  const found = readAttributes(payload.subarray(NFGEN_HEADER));
  const name = readString(required(found, nl.IPSET_ATTR_SETNAME, 'IPSET_ATTR_SETNAME'));
  const set = sets.get(name) ?? readHead(name, found);
  sets.set(name, set);
  const elements = found.get(nl.IPSET_ATTR_ADT);
  if (elements !== undefined) eachAttribute(elements, (_, data) => readElement(set, data, now));
}

function readHead(name: string, found: ReadonlyMap<number, Buffer>): Growing {
  const data = readAttributes(required(found, nl.IPSET_ATTR_DATA, 'IPSET_ATTR_DATA'));
  const number = (type: number): number => {
    const value = data.get(type);
    return value === undefined ? 0 : readU32be(value);
  };
  const type = readString(required(found, nl.IPSET_ATTR_TYPENAME, 'IPSET_ATTR_TYPENAME'));
  const family = readU8(required(found, nl.IPSET_ATTR_FAMILY, 'IPSET_ATTR_FAMILY'));
  return {
    name,
    type,
    family: FAMILY.get(family) ?? null,
    timeouts: data.has(nl.IPSET_ATTR_TIMEOUT),
    counters: (number(nl.IPSET_ATTR_CADT_FLAGS) & nl.IPSET_FLAG_WITH_COUNTERS) !== 0,
    references: number(nl.IPSET_ATTR_REFERENCES),
    // The number is IPSET_ATTR_SIZE in a list's head and means nothing in a hash's.
    size: type === nl.LIST_TYPE ? number(nl.IPSET_ATTR_SIZE) : 0,
    elements: [],
    members: [],
  };
}

function readElement(set: Growing, data: Buffer, now: number): void {
  const found = readAttributes(data);
  if (set.type === nl.LIST_TYPE) {
    set.members.push(readString(required(found, nl.IPSET_ATTR_NAME, 'IPSET_ATTR_NAME')));
    return;
  }
  if (!isSetType(set.type) || set.family === null) return;
  const timeout = found.get(nl.IPSET_ATTR_TIMEOUT);
  const left = timeout === undefined ? 0 : readU32be(timeout);
  const packets = found.get(nl.IPSET_ATTR_PACKETS);
  const bytes = found.get(nl.IPSET_ATTR_BYTES);
  set.elements.push({
    key: readKey(set.type, set.family, found),
    expiresAt: left === 0 ? null : now + left * 1000,
    packets: packets === undefined ? 0 : readU64be(packets),
    bytes: bytes === undefined ? 0 : readU64be(bytes),
  });
}

/**
 * A sum over the answer to `encodeListHeads`, of the sets whose names begin with `prefix`. All bytes of a head count:
 * type, number of elements, references, size in memory; taking them apart would cost more than all else that is done
 * twice a second.
 */
export function sumOfHeads(messages: readonly NetlinkMessage[], prefix: string): string {
  const sum = createHash('sha256');
  for (const { payload } of beginningWith(prefix, messages)) sum.update(payload);
  return sum.digest('base64');
}

/** Those about sets whose names begin with `prefix`. */
export function beginningWith(prefix: string, messages: readonly NetlinkMessage[]): NetlinkMessage[] {
  const bytes = Buffer.from(prefix);
  return messages.filter(({ payload }) => isNamed(payload, bytes));
}

/** Messages begin with IPSET_ATTR_PROTOCOL, 8 bytes, and IPSET_ATTR_SETNAME (ip_set_core.c, ip_set_dump_do). */
function isNamed(payload: Buffer, prefix: Buffer): boolean {
  const at = NFGEN_HEADER + 8 + 4;
  if (payload.length > at && payload.readUInt16LE(at - 2) === nl.IPSET_ATTR_SETNAME)
    return payload.subarray(at, at + prefix.length).equals(prefix);
  const name = readAttributes(payload.subarray(NFGEN_HEADER)).get(nl.IPSET_ATTR_SETNAME);
  return name?.subarray(0, prefix.length).equals(prefix) ?? false;
}

/** By name, the number of elements that each set in the answer to `encodeListHeads` has. */
export async function sizesOfHeads(messages: readonly NetlinkMessage[]): Promise<Map<string, number>> {
  return new Map(await inTurns(messages, sizeOfHead));
}

/** A set's name, and its number of elements. */
export function sizeOfHead({ payload }: NetlinkMessage): readonly [string, number] {
  const found = readAttributes(payload.subarray(NFGEN_HEADER));
  const name = readString(required(found, nl.IPSET_ATTR_SETNAME, 'IPSET_ATTR_SETNAME'));
  const data = readAttributes(required(found, nl.IPSET_ATTR_DATA, 'IPSET_ATTR_DATA'));
  const elements = data.get(nl.IPSET_ATTR_ELEMENTS);
  return [name, elements === undefined ? 0 : readU32be(elements)];
}

/** The newest revision in the answer to `encodeTypeQuery`. */
export function decodeRevision(message: NetlinkMessage | undefined): number {
  const found = readAttributes((message?.payload ?? Buffer.alloc(0)).subarray(NFGEN_HEADER));
  return readU8(required(found, nl.IPSET_ATTR_REVISION, 'IPSET_ATTR_REVISION'));
}

/** The line number that the kernel wrote into the request that it gives back; 0 where it did not. */
export function decodeLine(echo: Buffer): number {
  const line = readAttributes(echo.subarray(NFGEN_HEADER)).get(nl.IPSET_ATTR_LINENO);
  return line === undefined ? 0 : readU32be(line);
}
