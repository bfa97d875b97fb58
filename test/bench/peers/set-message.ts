import { domuAddress, PORT, serviceAddress } from '../numbering.ts';
import type { Peer } from './peer.ts';

const SET = 'bench-moved';
/** The longest list of services that is ever moved at once. */
const MOST = 100;

/**
 * The floor: one message to the kernel for each service, from a program that does nothing else. Rules as the director
 * has them, but only of the services that are moved: how many others there are is nothing to a message.
 */
export const setMessage = (): Peer => ({
  name: 'a bare set message',
  async start(place, services) {
    await place.must('dom0', ['ipset', 'create', SET, 'hash:ip,port', 'family', 'inet']);
    const few = Array.from({ length: Math.min(services, MOST) }, (_, n) => n);
    const rules = [...new Set([...few, ...place.witnesses])].flatMap((n) => {
      const of = `-A PREROUTING -d ${serviceAddress(n)}/32 -p tcp --dport ${PORT}`;
      const to = (side: 'a' | 'b'): string => `-j DNAT --to-destination ${domuAddress(n, side)}`;
      return [`${of} -m set --match-set ${SET} dst,dst ${to('b')}`, `${of} ${to('a')}`];
    });
    await place.must('dom0', ['iptables-restore', '--noflush'], `*nat\n${rules.join('\n')}\nCOMMIT\n`);
  },
  move: (_, services, to) => ({
    how: 'ipset',
    payload: services
      .map((n) => `${to === 'b' ? 'add' : 'del'} ${SET} ${serviceAddress(n)} ${PORT}\n`)
      .join(''),
  }),
});
