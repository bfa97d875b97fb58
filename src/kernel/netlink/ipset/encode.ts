import { KernelError } from '../../../lib/errors.ts';
import { SET_NAME_MAX } from '../../../model/kernel-state.ts';
import type { SetElement, SetSpec } from '../../../model/kernel-state.ts';
import type { AttributeWriter } from '../attributes.ts';
import { ADDRESS_FAMILY, AF_INET, AF_UNSPEC, messageType, netfilterPayload } from '../netfilter.ts';
import { writeKey } from './element.ts';
import * as nl from './protocol.ts';
import { COMMAND } from './protocol.ts';
import type { Command } from './protocol.ts';

export const commandType = (command: Command): number => messageType('ipset', COMMAND[command]);

/** Elements of a message end before this; the kernel's own limit is that of one attribute, 65,535 bytes. */
const MOST_BYTES = 60_000;
const MAXELEM = 1_048_576;

/**
 * Throws KernelError (EINVAL) for what cannot be a set's name. (The kernel takes a destroy or a flush without a name
 * for one of all the sets there are.)
 */
export function requireName(name: string): string {
  if (name === '' || Buffer.byteLength(name) > SET_NAME_MAX || name.includes('\0')) {
    throw new KernelError(
      `"${name}" cannot be a set's name, which has 1 to ${SET_NAME_MAX} bytes; nothing was sent`,
      { code: 'EINVAL' },
    );
  }
  return name;
}

function command(fill: (writer: AttributeWriter) => void): Buffer {
  return netfilterPayload(AF_INET, (writer) => {
    writer.u8(nl.IPSET_ATTR_PROTOCOL, nl.IPSET_PROTOCOL);
    fill(writer);
  });
}

/** What destroy and flush take. */
export function encodeNamed(name: string): Buffer {
  return command((writer) => writer.string(nl.IPSET_ATTR_SETNAME, requireName(name)));
}

export function encodeSwap(a: string, b: string): Buffer {
  return command((writer) =>
    writer.string(nl.IPSET_ATTR_SETNAME, requireName(a)).string(nl.IPSET_ATTR_SETNAME2, requireName(b)),
  );
}

/** Asks for all sets. */
export const encodeListAll = (): Buffer => command(() => undefined);

/** Asks for all sets, without their elements. */
export function encodeListHeads(): Buffer {
  return command((writer) => writer.u32net(nl.IPSET_ATTR_FLAGS, nl.IPSET_FLAG_LIST_HEADER));
}

/** Asks for one set, `head` without its elements. */
export function encodeList(name: string, head: boolean): Buffer {
  return command((writer) => {
    writer.string(nl.IPSET_ATTR_SETNAME, requireName(name));
    if (head) writer.u32net(nl.IPSET_ATTR_FLAGS, nl.IPSET_FLAG_LIST_HEADER);
  });
}

/** Asks which revisions of a type the kernel has. `family`: AF_INET and so on. */
export function encodeTypeQuery(type: string, family: number): Buffer {
  return command((writer) => writer.string(nl.IPSET_ATTR_TYPENAME, type).u8(nl.IPSET_ATTR_FAMILY, family));
}

export function encodeCreate(spec: SetSpec, revision: number): Buffer {
  return create(spec.name, spec.type, ADDRESS_FAMILY[spec.family], revision, (data) => {
    if (spec.timeouts) data.u32net(nl.IPSET_ATTR_TIMEOUT, 0);
    if (spec.counters) data.u32net(nl.IPSET_ATTR_CADT_FLAGS, nl.IPSET_FLAG_WITH_COUNTERS);
    data.u32net(nl.IPSET_ATTR_MAXELEM, MAXELEM);
  });
}

/** `size`: how many members the list is made for (ip_set_list_set.c keeps it, and grows no list by it). */
export function encodeCreateList(name: string, size: number, revision: number): Buffer {
  return create(name, nl.LIST_TYPE, AF_UNSPEC, revision, (data) => data.u32net(nl.IPSET_ATTR_SIZE, size));
}

function create(
  name: string,
  type: string,
  family: number,
  revision: number,
  data: (writer: AttributeWriter) => void,
): Buffer {
  return command((writer) =>
    writer
      .string(nl.IPSET_ATTR_SETNAME, requireName(name))
      .string(nl.IPSET_ATTR_TYPENAME, type)
      .u8(nl.IPSET_ATTR_REVISION, revision)
      .u8(nl.IPSET_ATTR_FAMILY, family)
      .nest(nl.IPSET_ATTR_DATA, data),
  );
}

/** Adds a set to a list:set, removes it, or asks whether it is in it. */
export function encodeMember(list: string, member: string): Buffer {
  return command((writer) =>
    writer
      .string(nl.IPSET_ATTR_SETNAME, requireName(list))
      .nest(nl.IPSET_ATTR_DATA, (data) =>
        data.string(nl.IPSET_ATTR_NAME, requireName(member)).u32net(nl.IPSET_ATTR_LINENO, 0),
      ),
  );
}

/** One message's worth of elements; `first` is the index of its first one. */
export interface Batch {
  readonly payload: Buffer;
  readonly first: number;
  readonly size: number;
}

/**
 * Payloads that add these elements, or remove them (`now` null: no timeouts are sent). An element's line number is its
 * index in `elements` plus 1; the kernel says it in its refusal. `now`: milliseconds since the epoch.
 */
export function encodeElements(
  spec: SetSpec,
  elements: readonly Pick<SetElement, 'key' | 'expiresAt'>[],
  now: number | null,
): Batch[] {
  const batches: Batch[] = [];
  for (let first = 0; first < elements.length;) {
    let next = first;
    const payload = command((writer) => {
      writer.string(nl.IPSET_ATTR_SETNAME, requireName(spec.name)).u32net(nl.IPSET_ATTR_LINENO, 0);
      writer.nest(nl.IPSET_ATTR_ADT, (list) => {
        for (; next < elements.length && list.length < MOST_BYTES; next++) {
          const element = elements[next];
          if (element !== undefined) writeElement(list, spec, element, next + 1, now);
        }
      });
    });
    batches.push({ payload, first, size: next - first });
    first = next;
  }
  return batches;
}

function writeElement(
  list: AttributeWriter,
  spec: SetSpec,
  { key, expiresAt }: Pick<SetElement, 'key' | 'expiresAt'>,
  line: number,
  now: number | null,
): void {
  list.nest(nl.IPSET_ATTR_DATA, (data) => {
    writeKey(data, spec, key);
    if (spec.timeouts && now !== null) data.u32net(nl.IPSET_ATTR_TIMEOUT, secondsLeft(expiresAt, now));
    data.u32net(nl.IPSET_ATTR_LINENO, line);
  });
}

/** Whole seconds, rounded up and at least 1; 0 is ipset's "for good". What is longer than the kernel can is cut. */
export function secondsLeft(expiresAt: number | null, now: number): number {
  if (expiresAt === null) return 0;
  return Math.min(Math.max(Math.ceil((expiresAt - now) / 1000), 1), nl.LONGEST_SECONDS);
}
