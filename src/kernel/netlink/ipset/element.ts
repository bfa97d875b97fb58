import { KernelError } from '../../../lib/errors.ts';
import { FULL_PREFIX } from '../../../model/address.ts';
import type { Family } from '../../../model/address.ts';
import type { SetSpec, SetType } from '../../../model/kernel-state.ts';
import { addressBytes, addressText } from '../address-bytes.ts';
import { NLA_F_NET_BYTEORDER, readString, readU16be, readU32be, readU8, required } from '../attributes.ts';
import type { AttributeWriter } from '../attributes.ts';
import {
  IPSET_ATTR_CADT_FLAGS,
  IPSET_ATTR_CIDR,
  IPSET_ATTR_IFACE,
  IPSET_ATTR_IP,
  IPSET_ATTR_IPADDR,
  IPSET_ATTR_PORT,
  IPSET_ATTR_PROTO,
  IPSET_FLAG_NOMATCH,
  IPSET_FLAG_PHYSDEV,
} from './protocol.ts';

type Found = ReadonlyMap<number, Buffer>;
type Spec = Pick<SetSpec, 'name' | 'family' | 'type'>;

/** Protocols that ipset takes together with a port (IPSET_ERR_INVALID_PROTO otherwise), by their IANA numbers. */
const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ['tcp', 6],
  ['udp', 17],
  ['sctp', 132],
  ['udplite', 136],
]);
const PROTOCOL_NAMES = new Map([...PROTOCOLS].map(([name, number]) => [number, name]));

const NOMATCH = ' nomatch';
const PHYSDEV = 'physdev:';
/** IFNAMSIZ without its zero (linux/if.h). */
const INTERFACE_NAME_MAX = 15;

const DECIMAL = /^(0|[1-9]\d{0,4})$/;

/**
 * Writes the attributes that say which element is meant, from ipset's own spelling. Throws KernelError (EINVAL) for
 * what is no element of that type and family.
 */
export function writeKey(writer: AttributeWriter, spec: Spec, key: string): void {
  const nomatch = key.endsWith(NOMATCH);
  const plain = nomatch ? key.slice(0, -NOMATCH.length) : key;
  const [first = '', ...rest] = plain.split(',');
  const second = rest.join(',');
  const flags = (nomatch ? IPSET_FLAG_NOMATCH : 0) | WRITE[spec.type](writer, spec, first, second, key);
  if (flags !== 0) writer.u32net(IPSET_ATTR_CADT_FLAGS, flags);
}

/** Answers the flags that belong to the element. */
type WriteKey = (writer: AttributeWriter, spec: Spec, first: string, second: string, key: string) => number;

const WRITE = {
  'hash:ip': (writer, spec, first, second, key) => {
    if (second !== '') throw notAnElement(spec, key);
    writeAddress(writer, spec, first, key);
    return 0;
  },
  'hash:net': (writer, spec, first, second, key) => {
    if (second !== '') throw notAnElement(spec, key);
    writeNetwork(writer, spec, first, key);
    return 0;
  },
  'hash:ip,port': (writer, spec, first, second, key) => {
    const [name = '', port = ''] = second.split(':');
    const protocol = PROTOCOLS.get(name);
    if (
      protocol === undefined ||
      second !== `${name}:${port}` ||
      !DECIMAL.test(port) ||
      Number(port) > 65535
    ) {
      throw notAnElement(spec, key);
    }
    writeAddress(writer, spec, first, key);
    writer.u16net(IPSET_ATTR_PORT, Number(port)).u8(IPSET_ATTR_PROTO, protocol);
    return 0;
  },
  'hash:net,iface': (writer, spec, first, second, key) => {
    const physical = second.startsWith(PHYSDEV);
    const name = physical ? second.slice(PHYSDEV.length) : second;
    if (name === '' || Buffer.byteLength(name) > INTERFACE_NAME_MAX || name.includes('\0')) {
      throw notAnElement(spec, key);
    }
    writeNetwork(writer, spec, first, key);
    writer.string(IPSET_ATTR_IFACE, name);
    return physical ? IPSET_FLAG_PHYSDEV : 0;
  },
} satisfies Record<SetType, WriteKey>;

function writeAddress(writer: AttributeWriter, spec: Spec, text: string, key: string): void {
  let bytes: Uint8Array;
  try {
    bytes = addressBytes(spec.family, text);
  } catch (error) {
    throw notAnElement(spec, key, error);
  }
  writer.nest(IPSET_ATTR_IP, (inner) =>
    inner.bytes(IPSET_ATTR_IPADDR[spec.family] | NLA_F_NET_BYTEORDER, bytes),
  );
}

function writeNetwork(writer: AttributeWriter, spec: Spec, text: string, key: string): void {
  const [address = '', length] = text.split('/');
  const prefix = length === undefined ? FULL_PREFIX[spec.family] : Number(length);
  const written = length === undefined ? address : `${address}/${length}`;
  if (
    written !== text ||
    (length !== undefined && !DECIMAL.test(length)) ||
    prefix > FULL_PREFIX[spec.family]
  ) {
    throw notAnElement(spec, key);
  }
  if (prefix === 0 && spec.type === 'hash:net') {
    throw new KernelError(
      `set ${spec.name}: "${key}" cannot be an element: hash:net holds no network of prefix length 0; nothing was sent`,
      { code: 'EINVAL', hint: 'Give its two halves, such as 0.0.0.0/1 and 128.0.0.0/1.' },
    );
  }
  writeAddress(writer, spec, address, key);
  writer.u8(IPSET_ATTR_CIDR, prefix);
}

function notAnElement(spec: Spec, key: string, cause?: unknown): KernelError {
  return new KernelError(
    `set ${spec.name}: "${key}" is no element of a ${spec.type} of IPv${spec.family}; nothing was sent`,
    { code: 'EINVAL', cause },
  );
}

/** The element that these attributes mean, in ipset's own spelling. Throws KernelError (EBADMSG). */
export function readKey(type: SetType, family: Family, found: Found): string {
  const flags = found.get(IPSET_ATTR_CADT_FLAGS);
  const bits = flags === undefined ? 0 : readU32be(flags);
  return `${READ[type](family, found, bits)}${(bits & IPSET_FLAG_NOMATCH) === 0 ? '' : NOMATCH}`;
}

type ReadKey = (family: Family, found: Found, flags: number) => string;

const READ = {
  'hash:ip': (family, found) => readAddress(family, found),
  'hash:net': (family, found) => readNetwork(family, found),
  'hash:ip,port': (family, found) => {
    const number = readU8(required(found, IPSET_ATTR_PROTO, 'IPSET_ATTR_PROTO'));
    const port = readU16be(required(found, IPSET_ATTR_PORT, 'IPSET_ATTR_PORT'));
    return `${readAddress(family, found)},${PROTOCOL_NAMES.get(number) ?? number}:${port}`;
  },
  'hash:net,iface': (family, found, flags) => {
    const name = readString(required(found, IPSET_ATTR_IFACE, 'IPSET_ATTR_IFACE'));
    return `${readNetwork(family, found)},${(flags & IPSET_FLAG_PHYSDEV) === 0 ? '' : PHYSDEV}${name}`;
  },
} satisfies Record<SetType, ReadKey>;

/** IPSET_ATTR_IP holds one attribute of either family: a header of 4 bytes, then the address. */
function readAddress(family: Family, found: Found): string {
  const nested = required(found, IPSET_ATTR_IP, 'IPSET_ATTR_IP');
  const bytes = nested.subarray(4, 4 + FULL_PREFIX[family] / 8);
  if (bytes.length !== FULL_PREFIX[family] / 8) {
    throw new KernelError(
      `the kernel's answer cannot be read: an IPv${family} element of ${bytes.length} bytes`,
      { code: 'EBADMSG' },
    );
  }
  return addressText(bytes);
}

function readNetwork(family: Family, found: Found): string {
  const cidr = found.get(IPSET_ATTR_CIDR);
  const prefix = cidr === undefined ? FULL_PREFIX[family] : readU8(cidr);
  const address = readAddress(family, found);
  return prefix === FULL_PREFIX[family] ? address : `${address}/${prefix}`;
}

export function isSetType(type: string): type is SetType {
  return Object.hasOwn(READ, type);
}
