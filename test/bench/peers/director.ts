import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { callApi } from '../../../src/lab/api.ts';
import type { LabProcess } from '../../../src/lab/process.ts';
import { DIRECTOR } from '../../e2e/support/scripts.ts';
import {
  bridgeAddress,
  bridgeAddress6,
  bridgeName,
  domuAddress,
  domuAddress6,
  domuName,
  PORT,
  serviceAddress,
  serviceAddress6,
  serviceName,
  vifName,
} from '../numbering.ts';
import type { Side } from '../numbering.ts';
import { patiently } from '../place.ts';
import type { Place } from '../place.ts';
import type { Peer } from './peer.ts';

export interface DirectorOptions {
  /** Which services have UDP as well as TCP. */
  readonly udp?: readonly number[];
  readonly ipv6?: boolean;
  /** It does not measure what routing costs. */
  readonly unmetered?: true;
}

export const socketOf = (place: Place): string => join(place.directory, 'director.sock');

/** The built daemon, as it is shipped: every commit on the disk, the meter on. Its guests are not probed. */
export function director(options: DirectorOptions = {}): Peer {
  return {
    name: options.unmetered === true ? 'director, its meter off' : 'director',
    patience: 4,
    ...(options.ipv6 === true ? { ipv6: true } : {}),
    async start(place, services, within) {
      await mkdir(join(place.directory, 'state'), { recursive: true });
      await place.write('director.yaml', configOf(place, services, options));
      await startDirector(place, within);
    },
    move: (place, services, to) => ({ how: `unix ${socketOf(place)}`, payload: requestOf(services, to) }),
  };
}

/** The one that runs. */
const running = new WeakMap<Place, LabProcess>();

export function processOf(place: Place): LabProcess {
  const process = running.get(place);
  if (process === undefined) throw new Error('no director was started here');
  return process;
}

/** Ends the one that runs, and starts another with the file that is there; milliseconds until that is ready. */
export async function restartDirector(place: Place, within: number): Promise<number> {
  await processOf(place).stop('SIGTERM', within);
  const since = performance.now();
  await startDirector(place, within);
  return performance.now() - since;
}

async function startDirector(place: Place, within: number): Promise<void> {
  const argv = [...DIRECTOR, 'serve', '--config', join(place.directory, 'director.yaml')];
  const log = join(place.directory, 'director.log');
  const process = place.spawn('dom0', argv, { log });
  running.set(place, process);
  const isReady = async (): Promise<boolean> =>
    (await callApi(socketOf(place), 'GET', '/readyz')).status === 200;
  await patiently(process, log, isReady, within);
}

/** The second way is the end of the trial that the first began; @ID@ is the switch's. */
function requestOf(services: readonly number[], to: Side): string {
  if (to === 'a') return request('/v1/switches/@ID@/rollback', '');
  const body = { services: services.map(serviceName), to: 'secondary', confirmWithin: '10m' };
  return request('/v1/switches', JSON.stringify(body));
}

function request(path: string, body: string): string {
  const type = body === '' ? '' : 'Content-Type: application/json\r\n';
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${type}Content-Length: ${body.length}\r\n\r\n${body}`;
}

function configOf(place: Place, services: number, options: DirectorOptions): string {
  const numbers = Array.from({ length: services }, (_, n) => n);
  return stringify({
    listen: { socket: socketOf(place) },
    state: join(place.directory, 'state'),
    uplink: 'eth0',
    ...(options.unmetered === true ? { cpu: { meter: 'off' } } : {}),
    services: Object.fromEntries(numbers.map((n) => [serviceName(n), definition(n, options)])),
  });
}

/** As the file and the API take it. */
export function definition(n: number, { udp = [], ipv6 = false }: DirectorOptions = {}): object {
  const domu = (side: Side): unknown => ({
    name: domuName(n, side),
    addresses: [domuAddress(n, side), ...(ipv6 ? [domuAddress6(n, side)] : [])],
    vifs: [vifName(n, side)],
  });
  return {
    addresses: [serviceAddress(n), ...(ipv6 ? [serviceAddress6(n)] : [])],
    // The client has a route to all of them.
    announce: false,
    ports: [`${PORT}/tcp`, ...(udp.includes(n) ? [`${PORT}/udp`] : [])],
    bridge: {
      name: bridgeName(n),
      gateway: [`${bridgeAddress(n)}/29`, ...(ipv6 ? [`${bridgeAddress6(n)}/64`] : [])],
    },
    domus: [domu('a'), domu('b')],
    health: { check: 'off' },
  };
}
