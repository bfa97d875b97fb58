import type { FastifyRequest } from 'fastify';
import { contains, parseAddress } from '../model/address.ts';
import type { Address, Network } from '../model/address.ts';
import { isLoopback } from './listen.ts';

/** Who is at the other end of a TCP connection. */
export interface Caller {
  /** The client behind a proxy that is trusted, else whoever connected; null: a proxy said something that is no address. */
  readonly peer: Address | null;
  /** The same where it is certain, else null: somebody may stand between. */
  readonly certain: Address | null;
  /** Why it is not certain; null where it is. */
  readonly doubt: string | null;
}

const ON_THIS_HOST =
  "you come to the director from its own host: through a relay, an ssh tunnel or a proxy, and none of them says who you are. If it is a proxy, its address belongs under listen.trustedProxies; else open this page at the host's own address";
const UNTRUSTED =
  'you come through a proxy that the director was not told to trust, so it does not know your own address. An administrator can add it under listen.trustedProxies';
const UNSAID = 'the proxy before the director does not say who you are: it must send X-Forwarded-For';

/** Headers are believed only where the connection itself comes from a proxy that is trusted. */
export function callerOf({ ip, headers }: FastifyRequest, trusted: readonly Network[]): Caller {
  const peer = addressIn(ip);
  if (peer === null) return { peer: null, certain: null, doubt: ON_THIS_HOST };
  const forwarded = forwardedBy(headers);
  if (!isTrusted(peer, trusted)) {
    if (isLoopback(peer.text)) return { peer, certain: null, doubt: ON_THIS_HOST };
    if (forwarded !== null || headers.via !== undefined) return { peer, certain: null, doubt: UNTRUSTED };
    return { peer, certain: peer, doubt: null };
  }
  const client = forwarded === null ? null : lastUntrusted(forwarded, trusted);
  return { peer: client, certain: client, doubt: client === null ? UNSAID : null };
}

/**
 * The addresses that proxies have noted, the nearest last; null where there are none. A proxy that writes one of the
 * two headers passes on what a client has written into the other: both are believed only where they say the same.
 */
function forwardedBy(headers: FastifyRequest['headers']): (Address | null)[] | null {
  const plain = headers['x-forwarded-for'];
  const standard = headers.forwarded;
  const fromPlain = plain === undefined ? null : [plain].flat().join(',').split(',').map(addressIn);
  const fromStandard = standard === undefined ? null : forElements(standard).map(addressIn);
  if (fromPlain === null || fromStandard === null) return fromPlain ?? fromStandard;
  const same = JSON.stringify(fromPlain) === JSON.stringify(fromStandard);
  return same ? fromPlain : [null];
}

/** RFC 7239, section 4: `for="[2001:db8::1]:4711";proto=https, for=192.0.2.1`. */
const forElements = (header: string): string[] =>
  header
    .split(',')
    .map((element) => /(?:^|;)\s*for=(?:"([^"]*)"|([^;\s]*))/i.exec(element)?.slice(1).join('') ?? '');

function lastUntrusted(chain: readonly (Address | null)[], trusted: readonly Network[]): Address | null {
  for (const address of chain.toReversed()) {
    if (address === null || isLoopback(address.text)) return null;
    if (!isTrusted(address, trusted)) return address;
  }
  return null;
}

const isTrusted = (address: Address, trusted: readonly Network[]): boolean =>
  trusted.some((network) => contains(network, address));

/**
 * Without port, brackets or zone; a socket for both families writes IPv4 as `::ffff:192.0.2.1`. Null where it is none.
 */
function addressIn(text: string): Address | null {
  const bare = text
    .trim()
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1')
    .replace(/^::ffff:(?=\d+\.)/i, '')
    .replace(/%.*$/, '');
  const address = parseAddress(bare);
  return typeof address === 'string' ? null : address;
}
