import { domuAddress, PORT, serviceAddress } from '../numbering.ts';
import type { Peer } from './peer.ts';

const TABLE = 'ip bench';

/** One rule with a map of all services; `nft -f` of a few lines replaces elements, all in one transaction. */
export const nftMap = (): Peer => ({
  name: 'nft -f, a map',
  async start(place, services) {
    const elements = Array.from(
      { length: services },
      (_, n) => `${serviceAddress(n)} : ${domuAddress(n, 'a')}`,
    );
    const text = [
      `table ${TABLE} {`,
      `map live { type ipv4_addr : ipv4_addr; elements = { ${elements.join(', ')} } }`,
      'chain prerouting { type nat hook prerouting priority dstnat;',
      ...['tcp', 'udp'].map((protocol) => `${protocol} dport ${PORT} dnat to ip daddr map @live`),
      '}',
      '}',
      '',
    ].join('\n');
    await place.must('dom0', ['nft', '-f', '-'], text);
  },
  move(_, services, to) {
    const from = to === 'b' ? 'a' : 'b';
    const each = (side: 'a' | 'b'): string =>
      services.map((n) => `${serviceAddress(n)} : ${domuAddress(n, side)}`).join(', ');
    return {
      how: 'pipe nft -f -',
      payload: `delete element ${TABLE} live { ${each(from)} }\nadd element ${TABLE} live { ${each(to)} }\n`,
    };
  },
});
