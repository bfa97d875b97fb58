import { domuAddress, domuAddress6, PORT, serviceAddress, serviceAddress6 } from '../numbering.ts';
import type { Side } from '../numbering.ts';
import type { Place } from '../place.ts';
import type { Action, Peer } from './peer.ts';

/** One rule a service, one after another, as somebody would write them by hand. */
const rule = (n: number, side: Side, protocol = 'tcp'): string =>
  `-d ${serviceAddress(n)}/32 -p ${protocol} --dport ${PORT} -j DNAT --to-destination ${domuAddress(n, side)}`;
const rule6 = (n: number, side: Side): string =>
  `-d ${serviceAddress6(n)}/128 -p tcp --dport ${PORT} -j DNAT --to-destination ${domuAddress6(n, side)}`;
/** By its number in the chain, from 1. */
const replacement = (n: number, side: Side): string => `-R PREROUTING ${n + 1} ${rule(n, side)}`;

const table = (lines: readonly string[]): string => `*nat\n${lines.join('\n')}\nCOMMIT\n`;

async function load(place: Place, services: number, program: string, ipv6: boolean): Promise<void> {
  const rules = Array.from({ length: services }, (_, n) => `-A PREROUTING ${rule(n, 'a')}`);
  // Of datagrams only those services that are asked for them: they would double the length of the list.
  const udp = place.witnesses.map((n) => `-A PREROUTING ${rule(n, 'a', 'udp')}`);
  await place.must('dom0', [`${program}-restore`, '--noflush'], table([...rules, ...udp]));
  if (!ipv6) return;
  const rules6 = place.witnesses.map((n) => `-A PREROUTING ${rule6(n, 'a')}`);
  await place.must('dom0', ['ip6tables-restore', '--noflush'], table(rules6));
}

type Move = (services: readonly number[], to: Side) => Action;

const withRules = (name: string, program: string, move: Move, ipv6 = false): Peer => ({
  name,
  ...(ipv6 ? { ipv6: true } : {}),
  start: (place, services) => load(place, services, program, ipv6),
  move: (_, services, to) => move(services, to),
});

const replaceEach =
  (argv: string): Move =>
  (services, to) => ({
    how: 'each',
    payload: services.map((n) => `${argv} -t nat ${replacement(n, to)}\n`).join(''),
  });

const restore =
  (argv: string): Move =>
  (services, to) => ({
    how: `pipe ${argv} --noflush`,
    payload: table(services.map((n) => replacement(n, to))),
  });

/** A bare rule, and `iptables -R` for each one that changes. */
export const replacedRule = (): Peer => withRules('iptables -R', 'iptables', replaceEach('iptables'), true);
/** The same rules, and one `iptables-restore --noflush` for all that change. */
export const restoredRules = (): Peer =>
  withRules('iptables-restore', 'iptables', restore('iptables-restore'));
/** With the older kernel interface, whose tools take turns by a lock. */
export const replacedLegacyRule = (): Peer =>
  withRules('iptables-legacy -R', 'iptables-legacy', replaceEach('iptables-legacy -w'));
export const restoredLegacyRules = (): Peer =>
  withRules('iptables-legacy-restore', 'iptables-legacy', restore('iptables-legacy-restore -w'));
