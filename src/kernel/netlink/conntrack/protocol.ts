/** Numbers of linux/netfilter/nfnetlink_conntrack.h. */
export const IPCTNL_MSG_CT_GET = 1;
export const IPCTNL_MSG_CT_DELETE = 2;

export const CTA_TUPLE_ORIG = 1;
export const CTA_TUPLE_REPLY = 2;
export const CTA_PROTOINFO = 4;
export const CTA_MARK = 8;
export const CTA_ID = 12;
export const CTA_MARK_MASK = 21;

/** Inside CTA_PROTOINFO, and inside that. */
export const CTA_PROTOINFO_TCP = 1;
export const CTA_PROTOINFO_TCP_STATE = 1;

/**
 * enum tcp_conntrack (linux/netfilter/nf_conntrack_tcp.h): both sides have closed, or one has reset; nothing passes any
 * more, and only the entry lingers (TIME_WAIT for two minutes).
 */
export const TCP_CONNTRACK_OVER: ReadonlySet<number> = new Set([6, 7, 8]);

/** Inside a tuple. */
export const CTA_TUPLE_IP = 1;
export const CTA_TUPLE_PROTO = 2;

/** Inside CTA_TUPLE_IP, by family. */
export const CTA_IP_SRC = { 4: 1, 6: 3 } as const;
export const CTA_IP_DST = { 4: 2, 6: 4 } as const;

/** Inside CTA_TUPLE_PROTO. */
export const CTA_PROTO_NUM = 1;
export const CTA_PROTO_SRC_PORT = 2;
export const CTA_PROTO_DST_PORT = 3;
