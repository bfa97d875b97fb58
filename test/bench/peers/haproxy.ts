import { connect } from 'node:net';
import { join } from 'node:path';
import { domuAddress, PORT, SERVICE_NETWORK, serviceAddress } from '../numbering.ts';
import { patiently } from '../place.ts';
import type { Place } from '../place.ts';
import type { Peer } from './peer.ts';
import { withLibraries } from './unpacked.ts';

const socketOf = (place: Place): string => join(place.directory, 'haproxy.sock');
const mapOf = (place: Place): string => join(place.directory, 'haproxy.map');

/** TCP mode; a map of all services, changed over the runtime API: the least that it can have to do. */
export const haproxy = (): Peer => ({
  name: 'HAProxy, runtime API',
  streamsOnly: true,
  async start(place, services, within) {
    const lines = Array.from({ length: services }, (_, n) => `${serviceAddress(n)} ${domuAddress(n, 'a')}\n`);
    await place.write('haproxy.map', lines.join(''));
    const config = await place.write('haproxy.cfg', configOf(place));
    await place.ip('dom0', [`route add local ${SERVICE_NETWORK} dev lo`]);
    const log = join(place.directory, 'haproxy.log');
    const argv = ['haproxy', '-f', config, '-db'];
    const process = place.spawn('dom0', argv, { log, env: withLibraries('haproxy') });
    await patiently(process, log, () => answers(socketOf(place)), within);
  },
  move: (place, services, to) => ({
    how: `unix ${socketOf(place)}`,
    payload: `${services.map((n) => `set map ${mapOf(place)} ${serviceAddress(n)} ${domuAddress(n, to)}`).join(';')}\n`,
  }),
});

/** It sends a connection on to the address that the map has. */
function configOf(place: Place): string {
  return `global
  stats socket ${socketOf(place)} mode 600 level admin
  maxconn 5000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1m
  timeout server 1m
frontend all
  bind 0.0.0.0:${PORT}
  tcp-request content set-dst dst,map_ip_ip(${mapOf(place)})
  default_backend there
backend there
  server it 0.0.0.0:${PORT}
`;
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
