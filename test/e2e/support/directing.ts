import { expect } from 'vitest';
import { labServices } from '../../../src/lab/topology.ts';
import type { LabPort, LabProtocol, LabService } from '../../../src/lab/topology.ts';
import type { World } from '../../../src/lab/world.ts';
import type { DirectedWorld } from './director.ts';
import { aims } from './reach.ts';
import type { Aim } from './reach.ts';

const port = (protocol: LabProtocol, from: number, to = from, target?: number): LabPort => ({
  protocol,
  from,
  to,
  ...(target === undefined ? {} : { target }),
});

const MAIL_PORTS = [
  port('tcp', 25),
  port('udp', 514),
  port('tcp', 8000, 8003),
  port('udp', 5000, 5003),
  port('tcp', 80, 80, 8080),
  port('udp', 53, 53, 5353),
  port('tcp', 9000, 9003, 9500),
];
const OTHER_PORTS = [port('tcp', 389), port('udp', 389), port('tcp', 81, 81, 8080)];

/** Mail with ports of every kind; ldap on the same address; svc-3 on an address of its own. */
export function variedServices(): LabService[] {
  const [mail, ldap, third] = labServices(3) as [LabService, LabService, LabService];
  return [
    { ...mail, ports: MAIL_PORTS },
    { ...ldap, ipv4: mail.ipv4, ipv6: mail.ipv6, ports: OTHER_PORTS },
    { ...third, ports: OTHER_PORTS },
  ];
}

/** Every port of mail's, or both ends of a range. */
export const MAIL: readonly Aim[] = aims('mail', [
  '25/tcp',
  '514/udp',
  '8000/tcp',
  '8003/tcp',
  '5000/udp',
  '5003/udp',
  '80/tcp',
  '53/udp',
  '9000/tcp',
  '9003/tcp',
]);

/** A port that no service has, on which DomUs listen all the same; see serveAside(). */
const ASIDE = 2500;

export async function serveAside(world: World, domus: readonly string[]): Promise<void> {
  const both = (['tcp', 'udp'] as const).map((protocol) => ({ protocol, from: ASIDE, to: ASIDE }));
  await Promise.all(domus.map((domu) => world.serve(domu, 'aside', both)));
}

/** A DomU's own address: ports of mail's, the aim of a mapping, and what is no business of the service's. */
export const directly = (domu: string): readonly Aim[] =>
  aims(domu, ['25/tcp', '514/udp', '8080/tcp', `${ASIDE}/tcp`, `${ASIDE}/udp`]);

export const aside = (domu: string): readonly Aim[] => aims(domu, [`${ASIDE}/tcp`, `${ASIDE}/udp`]);

/** A command of the command line that has to succeed. */
export async function done(directed: DirectedWorld, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await directed.director(...args);
  expect(`${args.join(' ')}: ${code} ${stderr}`).toBe(`${args.join(' ')}: 0 `);
  return stdout;
}

/** Whether what crosses a bridge is shown to iptables. */
export async function showBridges(world: World, on: boolean): Promise<void> {
  const settings = ['ip', 'ip6'].map((tables) => `net.bridge.bridge-nf-call-${tables}tables=${on ? 1 : 0}`);
  await world.must('dom0', ['sysctl', '-qw', ...settings]);
}

/** Refusals are told each time: the kernel would tell one client about one in a second (icmp(7), icmp_ratelimit). */
export async function tellRefusals(world: World): Promise<void> {
  const settings = ['ipv4.icmp_ratelimit=0', 'ipv6.icmp.ratelimit=0'].map((setting) => `net.${setting}`);
  await world.must('dom0', ['sysctl', '-qw', ...settings]);
}
