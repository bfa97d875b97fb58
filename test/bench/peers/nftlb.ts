import { join } from 'node:path';
import { domuAddress, PORT, serviceAddress, serviceName } from '../numbering.ts';
import type { Side } from '../numbering.ts';
import { patiently } from '../place.ts';
import { run } from '../../../src/lab/run.ts';
import { inNamespace } from '../../../src/lab/namespaces.ts';
import type { Peer } from './peer.ts';
import { withLibraries } from './unpacked.ts';

const API_PORT = 5555;
const KEY = 'bench';

/** A farm a service, with the source address kept; its JSON API exchanges the states of both backends in one request. */
export const nftlb = (): Peer => ({
  name: 'nftlb, JSON API',
  async start(place, services, within) {
    const numbers = Array.from({ length: services }, (_, n) => n);
    const farms = numbers.map((n) => ({
      name: serviceName(n),
      family: 'ipv4',
      'virtual-addr': serviceAddress(n),
      'virtual-ports': String(PORT),
      mode: 'dnat',
      protocol: 'all',
      scheduler: 'rr',
      state: 'up',
      backends: backends(n, 'a', true),
    }));
    const config = await place.write('nftlb.json', JSON.stringify({ farms }, null, 1));
    const argv = [
      'nftlb',
      '-k',
      KEY,
      '-H',
      '127.0.0.1',
      '-P',
      String(API_PORT),
      '-l',
      '3',
      '-L',
      '1',
      '-c',
      config,
    ];
    const log = join(place.directory, 'nftlb.log');
    const process = place.spawn('dom0', argv, { log, env: withLibraries('nftlb') });
    const listens = async (): Promise<boolean> => {
      const { stdout } = await run(inNamespace(place.ns('dom0'), ['ss', '-Hltn', `sport = :${API_PORT}`]));
      return stdout !== '';
    };
    await patiently(process, log, listens, within);
  },
  move: (_, services, to) => {
    const farms = services.map((n) => ({ name: serviceName(n), backends: backends(n, to, false) }));
    const body = JSON.stringify({ farms });
    return {
      how: `tcp 127.0.0.1 ${API_PORT}`,
      payload: `PUT /farms HTTP/1.1\r\nKey: ${KEY}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    };
  },
});

function backends(n: number, up: Side, whole: boolean): unknown[] {
  return (['a', 'b'] as const).map((side) => ({
    name: side,
    ...(whole ? { 'ip-addr': domuAddress(n, side) } : {}),
    state: side === up ? 'up' : 'down',
  }));
}
