import type { LinkInfo } from '../../kernel/kernel.ts';
import type { Answer, Question } from '../../kernel/links/probe.ts';
import type { Address } from '../../model/address.ts';
import type { Service } from '../../model/service.ts';
import { check } from '../check.ts';
import { fault, ok, word } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';

export interface DuplicatesSeen {
  readonly uplink: string | null;
  /** How many addresses were asked for; 0: there are none, or no link to ask on. */
  readonly asked: number;
  readonly answers: readonly Answer[];
  /** MAC addresses of this host's own links. */
  readonly own: ReadonlySet<string>;
}

/** Two hosts with one address take connections from each other. Each DomU answers for its own, but no other may. */
export function judgeDuplicates({ uplink, asked, answers, own }: DuplicatesSeen): Verdict[] {
  const others = answers.filter(({ mac }) => !own.has(mac));
  const found = [
    ...others.filter(({ link }) => link === uplink).map(announcedElsewhere),
    ...bySeat(others.filter(({ link }) => link !== uplink)).flatMap(answeredByTwo),
  ];
  return found.length > 0 || asked === 0 ? found : [ok(`nobody else answers for our ${asked} addresses`)];
}

const announcedElsewhere = ({ address, mac, link }: Answer): Verdict =>
  fault(
    `${address.text} is also somebody else's: ${mac} answers for it on ${link}`,
    'neighbours believe the one that spoke last, so connections arrive there or here by chance, and a switch moves only ours; take the address from the other host, or find a proxy ARP',
    address.family === 4
      ? `arping -D -c 3 -I ${word(link)} ${address.text}`
      : `ndisc6 ${address.text} ${word(link)}`,
  );

/** All that answer for one address on one link. */
function bySeat(answers: readonly Answer[]): Answer[][] {
  const seats = new Map<string, Answer[]>();
  for (const answer of answers) {
    const key = `${answer.link} ${answer.address.text}`;
    seats.set(key, [...(seats.get(key) ?? []), answer]);
  }
  return [...seats.values()];
}

function answeredByTwo(answers: readonly Answer[]): Verdict[] {
  const [first] = answers;
  if (first === undefined || answers.length < 2) return [];
  const { link, address } = first;
  const macs = answers.map(({ mac }) => mac).toSorted();
  return [
    fault(
      `${address.text} is a DomU’s, and ${macs.join(' and ')} answer for it on ${link}`,
      'a clone has kept the address of its model: what is directed to the one arrives at the other by chance, dark or not; shut the clone down, and give it the network settings that "director vif" prints',
      `bridge fdb show br ${word(link)}`,
    ),
  ];
}

const ETHERNET = /^(?!00:00:00:00:00:00$)[\da-f]{2}(:[\da-f]{2}){5}$/;

async function look({ uplink, services, links, ask }: Ground): Promise<DuplicatesSeen> {
  const all = await links();
  const reachable = new Map(
    all.filter(({ up, mac }) => up && ETHERNET.test(mac)).map((link) => [link.name, link]),
  );
  const questions = [
    ...questionOn(uplink, services.flatMap(announced), reachable),
    ...services.flatMap((service) => questionOn(service.bridge.name, domuAddresses(service), reachable)),
  ];
  const asked = questions.reduce((sum, { addresses }) => sum + addresses.length, 0);
  const answers = asked === 0 ? [] : await ask(questions);
  return { uplink, asked, answers, own: new Set(all.map(({ mac }) => mac)) };
}

function questionOn(
  name: string | null,
  addresses: readonly Address[],
  reachable: ReadonlyMap<string, LinkInfo>,
): Question[] {
  const link = name === null ? undefined : reachable.get(name);
  return link === undefined || addresses.length === 0 ? [] : [{ link, addresses }];
}

const announced = ({ announce, addresses }: Service): readonly Address[] => (announce ? addresses : []);

/** A guest answers with any of its vifs for all of its addresses (arp_ignore in ip-sysctl.rst), so it may have but one. */
const domuAddresses = ({ domus }: Service): Address[] =>
  domus.filter(({ vifs }) => vifs.length === 1).flatMap(({ addresses }) => addresses);

export const duplicatesCheck = check('duplicates', look, judgeDuplicates);
