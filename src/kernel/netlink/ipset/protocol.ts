/** Numbers of linux/netfilter/ipset/ip_set.h. */
export const IPSET_PROTOCOL = 7;

export const COMMAND = {
  create: 2,
  destroy: 3,
  flush: 4,
  swap: 6,
  list: 7,
  add: 9,
  remove: 10,
  test: 11,
  type: 13,
} as const;
export type Command = keyof typeof COMMAND;

/** Attributes of the command. */
export const IPSET_ATTR_PROTOCOL = 1;
export const IPSET_ATTR_SETNAME = 2;
export const IPSET_ATTR_TYPENAME = 3;
export const IPSET_ATTR_SETNAME2 = 3;
export const IPSET_ATTR_REVISION = 4;
export const IPSET_ATTR_FAMILY = 5;
export const IPSET_ATTR_FLAGS = 6;
export const IPSET_ATTR_DATA = 7;
export const IPSET_ATTR_ADT = 8;
export const IPSET_ATTR_LINENO = 9;

/** Attributes inside IPSET_ATTR_DATA: of a set's head, and of an element. */
export const IPSET_ATTR_IP = 1;
export const IPSET_ATTR_CIDR = 3;
export const IPSET_ATTR_PORT = 4;
export const IPSET_ATTR_TIMEOUT = 6;
export const IPSET_ATTR_PROTO = 7;
export const IPSET_ATTR_CADT_FLAGS = 8;
export const IPSET_ATTR_NAME = 18;
export const IPSET_ATTR_MAXELEM = 19;
export const IPSET_ATTR_SIZE = 23;
export const IPSET_ATTR_IFACE = 23;
export const IPSET_ATTR_BYTES = 24;
export const IPSET_ATTR_ELEMENTS = 24;
export const IPSET_ATTR_PACKETS = 25;
export const IPSET_ATTR_REFERENCES = 25;

/** Inside IPSET_ATTR_IP, by family. */
export const IPSET_ATTR_IPADDR = { 4: 1, 6: 2 } as const;

export const IPSET_FLAG_LIST_HEADER = 1 << 2;

/** Of IPSET_ATTR_CADT_FLAGS. */
export const IPSET_FLAG_PHYSDEV = 1 << 1;
export const IPSET_FLAG_NOMATCH = 1 << 2;
export const IPSET_FLAG_WITH_COUNTERS = 1 << 3;

/** IPSET_MAX_TIMEOUT of the kernel's ip_set_timeout.h, seconds. */
export const LONGEST_SECONDS = 2_147_483;

export const LIST_TYPE = 'list:set';
