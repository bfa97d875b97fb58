import { join } from 'node:path';
import { run } from '../../../src/lab/run.ts';
import { domuName, floatingAddress } from '../numbering.ts';
import type { Side } from '../numbering.ts';
import { patiently } from '../place.ts';
import type { Place } from '../place.ts';
import type { Peer } from './peer.ts';
import { withLibraries } from './unpacked.ts';

const PRIORITIES = { a: 100, b: 90 } as const;
/** Added to the first DomU's priority: below the other's. */
const YIELD = -50;

const priorityFile = (place: Place): string => join(place.directory, 'priority');

/**
 * VRRP in the guests: the first service's address itself moves, for everybody, once a file says that the first guest is
 * to have a lower priority. Whoever writes it is not told when that has happened. Adverts ten times a second.
 */
export const keepalived = (): Peer => ({
  name: 'keepalived, VRRP',
  single: true,
  address: floatingAddress,
  async start(place, _, within) {
    await place.write('priority', '0\n');
    for (const side of ['a', 'b'] as const) await startIn(place, side, within);
  },
  move: (place, _, to) => ({
    how: `pipe tee ${priorityFile(place)}`,
    payload: `${to === 'b' ? YIELD : 0}\n`,
  }),
});

async function startIn(place: Place, side: Side, within: number): Promise<void> {
  const log = join(place.directory, `keepalived-${side}.log`);
  const config = await place.write(`keepalived-${side}.conf`, configOf(place, side));
  const pids = ['-p', '-r'].flatMap((option) => [
    option,
    join(place.directory, `keepalived${option}-${side}`),
  ]);
  const argv = ['keepalived', '--dont-fork', '--log-console', '--vrrp', '-f', config, ...pids];
  const program = place.spawn(domuName(0, side), argv, { log, env: withLibraries('keepalived') });
  // The second only takes part when the first has the address.
  if (side === 'b') return;
  const hasIt = async (): Promise<boolean> => {
    const { stdout } = await run([
      'ip',
      '-n',
      place.ns(domuName(0, side)),
      '-br',
      'address',
      'show',
      'dev',
      'eth0',
    ]);
    return stdout.includes(` ${floatingAddress(0)}/`);
  };
  await patiently(program, log, hasIt, within);
}

function configOf(place: Place, side: Side): string {
  return `global_defs {
  script_user root
  vrrp_version 3
  vrrp_garp_master_delay 0
  vrrp_startup_delay 0
}
track_file moved {
  file "${priorityFile(place)}"
  weight 1
}
vrrp_instance first {
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority ${PRIORITIES[side]}
  advert_int 0.1
  virtual_ipaddress { ${floatingAddress(0)}/29 dev eth0 }
${side === 'a' ? '  track_file { moved }\n' : ''}}
`;
}
