import { KernelError } from '../../lib/errors.ts';

/** linux/netlink.h: struct nlattr is { u16 length with these 4 bytes; u16 type }, each padded to 4 bytes. */
const HEADER = 4;
const NLA_F_NESTED = 0x8000;
export const NLA_F_NET_BYTEORDER = 0x4000;
const TYPE_MASK = ~(NLA_F_NESTED | NLA_F_NET_BYTEORDER) & 0xffff;
const LONGEST = 0xffff;

const aligned = (length: number): number => (length + 3) & ~3;

/**
 * Writes attributes one after another. Netlink's own headers are in the host's byte order, which is little-endian on
 * every machine that the socket's library is built for; netfilter's numbers are big-endian (`...be`), rtnetlink's are
 * the host's (`...host`).
 */
export class AttributeWriter {
  #buffer: Buffer;
  #length: number;

  /** `before`: a header that the attributes follow, of a multiple of 4 bytes. */
  constructor(before: Uint8Array = new Uint8Array()) {
    this.#buffer = Buffer.alloc(256);
    this.#buffer.set(before);
    this.#length = before.length;
  }

  get length(): number {
    return this.#length;
  }

  #reserve(size: number): number {
    const at = this.#length;
    if (at + size > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(this.#buffer.length * 2, at + size));
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    this.#length = at + size;
    return at;
  }

  /** The offset of the value. The padding after it is zero. */
  #open(type: number, size: number): number {
    if (size + HEADER > LONGEST) {
      throw new KernelError(
        `netlink attribute ${type & TYPE_MASK} would have ${size} bytes, and ${LONGEST - HEADER} are the most; nothing was sent`,
        { code: 'EMSGSIZE' },
      );
    }
    const at = this.#reserve(aligned(HEADER + size));
    this.#buffer.writeUInt16LE(HEADER + size, at);
    this.#buffer.writeUInt16LE(type, at + 2);
    return at + HEADER;
  }

  bytes(type: number, value: Uint8Array): this {
    const at = this.#open(type, value.length);
    this.#buffer.set(value, at);
    return this;
  }

  u8(type: number, value: number): this {
    const at = this.#open(type, 1);
    this.#buffer.writeUInt8(value, at);
    return this;
  }

  /** Big-endian, and said to be so (NLA_F_NET_BYTEORDER): how ipset wants its numbers. */
  u16net(type: number, value: number): this {
    return this.u16be(type | NLA_F_NET_BYTEORDER, value);
  }

  /** See u16net. */
  u32net(type: number, value: number): this {
    return this.u32be(type | NLA_F_NET_BYTEORDER, value);
  }

  u16be(type: number, value: number): this {
    const at = this.#open(type, 2);
    this.#buffer.writeUInt16BE(value, at);
    return this;
  }

  u32be(type: number, value: number): this {
    const at = this.#open(type, 4);
    this.#buffer.writeUInt32BE(value >>> 0, at);
    return this;
  }

  u32host(type: number, value: number): this {
    const at = this.#open(type, 4);
    this.#buffer.writeUInt32LE(value >>> 0, at);
    return this;
  }

  /** With the zero byte that ends it. */
  string(type: number, value: string): this {
    return this.bytes(type, Buffer.from(`${value}\0`, 'utf8'));
  }

  /** An attribute that holds those which `fill` writes (into this same writer). */
  nest(type: number, fill: (writer: this) => void): this {
    const at = this.#reserve(HEADER);
    fill(this);
    const size = this.#length - at;
    if (size > LONGEST) {
      throw new KernelError(
        `netlink attribute ${type} would have ${size} bytes, and ${LONGEST} are the most; nothing was sent`,
        { code: 'EMSGSIZE' },
      );
    }
    this.#buffer.writeUInt16LE(size, at);
    this.#buffer.writeUInt16LE(type | NLA_F_NESTED, at + 2);
    return this;
  }

  toBuffer(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}

/** See AttributeWriter for `before`. */
export function attributes(fill: (writer: AttributeWriter) => void, before?: Uint8Array): Buffer {
  const writer = new AttributeWriter(before);
  fill(writer);
  return writer.toBuffer();
}

const malformed = (what: string): KernelError =>
  new KernelError(`the kernel's answer cannot be read: ${what}; nothing was changed by reading it`, {
    code: 'EBADMSG',
  });

/** Calls back for each attribute in order, type without its flags. Malformed bytes are a KernelError, EBADMSG. */
export function eachAttribute(payload: Buffer, callback: (type: number, value: Buffer) => void): void {
  // Up to 3 bytes after the last attribute are padding, as for the kernel's own nla_ok().
  for (let at = 0; at + HEADER <= payload.length;) {
    const length = payload.readUInt16LE(at);
    if (length < HEADER || at + length > payload.length) {
      throw malformed(`an attribute of ${length} bytes where ${payload.length - at} are left`);
    }
    callback(payload.readUInt16LE(at + 2) & TYPE_MASK, payload.subarray(at + HEADER, at + length));
    at += aligned(length);
  }
}

/** By type without its flags; where a type comes twice the last stands. */
export function readAttributes(payload: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  eachAttribute(payload, (type, value) => found.set(type, value));
  return found;
}

function sized(value: Buffer, size: number): Buffer {
  if (value.length !== size) throw malformed(`a number of ${value.length} bytes where ${size} are due`);
  return value;
}

export const readU8 = (value: Buffer): number => sized(value, 1).readUInt8(0);
export const readU16be = (value: Buffer): number => sized(value, 2).readUInt16BE(0);
export const readU32be = (value: Buffer): number => sized(value, 4).readUInt32BE(0);
export const readU32host = (value: Buffer): number => sized(value, 4).readUInt32LE(0);
/** Counters: exact up to 2^53, nearly so beyond. */
export const readU64be = (value: Buffer): number => Number(sized(value, 8).readBigUInt64BE(0));

/** Up to the first zero byte, or all of it. */
export function readString(value: Buffer): string {
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end === -1 ? value.length : end);
}

/** The value of an attribute that must be there; `name` is the kernel's name for it. */
export function required(found: ReadonlyMap<number, Buffer>, type: number, name: string): Buffer {
  const value = found.get(type);
  if (value === undefined) throw malformed(`it has no ${name}`);
  return value;
}
