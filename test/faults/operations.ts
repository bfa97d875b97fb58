import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceView, SwitchView } from '../../src/api/contract.ts';
import type { ApiAnswer } from '../../src/lab/api.ts';
import { definitionOf } from '../../src/lab/config-file.ts';
import { CLIENTS } from '../../src/lab/topology.ts';
import type { DirectedWorld } from '../e2e/support/director.ts';
import { editConfig } from '../e2e/support/edit-config.ts';

/** Both are switched together. */
export const GROUP = ['mail', 'ldap'] as const;
/** The one that is defined and removed. */
export const OTHER = 'svc-3';
/** Whoever is enrolled, and is no tester otherwise. */
export const ENROLLED = CLIENTS.neighbour.ipv4;
const EDITED = '192.0.2.200';

/** What an operator can see of a service, without what changes by itself. */
export interface Seen {
  readonly live: ServiceView['live'];
  readonly primary: string;
  readonly secondary: string;
  readonly testing: ServiceView['testing'];
  readonly held: boolean;
  readonly testers: readonly string[];
  readonly ports: readonly string[];
}
/** By the services' names, in order. */
export type Picture = Readonly<Record<string, Seen>>;

export function seen(views: readonly ServiceView[]): Picture {
  const each = views.map((view): [string, Seen] => [
    view.name,
    {
      live: view.live,
      primary: view.primary.domu,
      secondary: view.secondary.domu,
      testing: view.testing,
      held: view.held,
      testers: view.testers.map(({ source, kind }) => `${source} ${kind}`).toSorted(),
      ports: view.ports,
    },
  ]);
  return Object.fromEntries(each.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const edit = (picture: Picture, names: readonly string[], change: (one: Seen) => Partial<Seen>): Picture =>
  Object.fromEntries(
    Object.entries(picture).map(([name, one]) => [
      name,
      names.includes(name) ? { ...one, ...change(one) } : one,
    ]),
  );

/** What has to be so before an operation makes sense. */
export interface Situation {
  readonly trial: boolean;
  readonly held: boolean;
  readonly enrolled: boolean;
  readonly testing: 'open' | 'closed';
  readonly defined: boolean;
}
const USUAL: Situation = { trial: false, held: false, enrolled: false, testing: 'open', defined: true };

export interface Operation {
  readonly name: string;
  readonly situation: Situation;
  /** The journal's word for it, where it is done whole; null where a restart does the same without one. */
  readonly journal: string | null;
  /** Whether it moves everybody to the other DomU, so that the dark one becomes the live one. */
  readonly moves: boolean;
  /** What is done, and acknowledged, before anybody dies. */
  readonly begin?: Operation['act'];
  /** Resolves with the answer; rejects where the director died before it. */
  act(directed: DirectedWorld): Promise<ApiAnswer>;
  /** What is to be seen when it is done. */
  done(before: Picture, directed: DirectedWorld): Picture;
}

function operation(
  name: string,
  journal: string | null,
  act: Operation['act'],
  done: Operation['done'],
  situation: Partial<Situation> = {},
): Operation {
  const moves = name.startsWith('switch') || name === 'rollback' || name === 'expiry';
  return { name, journal, act, done, moves, situation: { ...USUAL, ...situation } };
}

const call =
  (method: string, path: string, body?: unknown): Operation['act'] =>
  ({ daemon }) =>
    daemon.call(method, path, body);

const order = (extra: Record<string, unknown> = {}): Operation['act'] =>
  call('POST', '/v1/switches', { services: GROUP, to: 'secondary', ...extra });

const toSecondary = (before: Picture): Picture => edit(before, GROUP, () => ({ live: 'secondary' }));
const toPrimary = (before: Picture): Picture => edit(before, GROUP, () => ({ live: 'primary' }));

export async function trialOf({ daemon }: DirectedWorld): Promise<SwitchView | null> {
  return (await daemon.service(GROUP[0])).switch;
}

const end =
  (verb: 'confirm' | 'rollback'): Operation['act'] =>
  async (directed) => {
    const trial = await trialOf(directed);
    return directed.daemon.call('POST', `/v1/switches/${trial?.id ?? 'none'}/${verb}`, {});
  };

const definition = ({ world }: DirectedWorld, ports?: readonly string[]): unknown => ({
  ...definitionOf(world.service(OTHER)),
  ...(ports === undefined ? {} : { ports }),
});
const OTHER_PORTS = ['389/tcp', '2500-2502/tcp'];

const define =
  (ports?: readonly string[]): Operation['act'] =>
  (directed) =>
    directed.daemon.call('PUT', `/v1/services/${OTHER}`, definition(directed, ports));

/** One more tester for good, or one less: the file is edited, then it is to be read. */
async function reload(directed: DirectedWorld): Promise<ApiAnswer> {
  await editConfig(directed.daemon.configFile, ({ services }) => {
    const testers = services['mail']?.['testers'] as string[];
    const there = testers.includes(EDITED);
    if (there) testers.splice(testers.indexOf(EDITED), 1);
    else testers.push(EDITED);
  });
  return directed.daemon.call('POST', '/v1/reload', {});
}

function otherTesters(before: Picture): Picture {
  const text = `${EDITED} permanent`;
  return edit(before, ['mail'], ({ testers }) => ({
    testers: testers.includes(text) ? testers.filter((one) => one !== text) : [...testers, text].toSorted(),
  }));
}

const without = (before: Picture): Picture =>
  Object.fromEntries(Object.entries(before).filter(([name]) => name !== OTHER));

const leased = `${ENROLLED} leased`;
const enrol = call('PUT', `/v1/services/mail/testers/${ENROLLED}`, { expiresIn: '8h' });

const EXPIRES = 2500;

/** A trial that nobody confirms; its deadline comes by itself, and whoever looks sees it end. */
const EXPIRY: Operation = {
  ...operation('expiry', 'expire', untilExpired, toPrimary),
  begin: order({ confirmWithin: `${EXPIRES}ms` }),
};

async function untilExpired({ daemon }: DirectedWorld): Promise<ApiAnswer> {
  for (;;) {
    const answer = await daemon.call('GET', '/v1/switches?limit=1');
    if ((answer.body as SwitchView[])[0]?.state === 'expired') return answer;
    await sleep(20);
  }
}

/** Nothing is asked for: the director is started where another one was killed during a trial. */
export const START: Operation = {
  ...operation('start', null, call('GET', '/readyz'), (before) => before, { trial: true, enrolled: true }),
};

export const OPERATIONS: readonly Operation[] = [
  operation('switch', 'switch', order(), toSecondary),
  operation('switch with a hold', 'switch', order({ hold: '5s' }), toSecondary),
  operation('rollback', 'rollback', end('rollback'), toPrimary, { trial: true }),
  operation(
    'confirm',
    'confirm',
    end('confirm'),
    (before) =>
      edit(before, GROUP, ({ primary, secondary }) => ({
        live: 'primary',
        primary: secondary,
        secondary: primary,
        testing: 'closed',
      })),
    { trial: true },
  ),
  operation('hold', 'hold', call('POST', '/v1/services/mail/hold', { for: '5m' }), (before) =>
    edit(before, ['mail'], () => ({ held: true })),
  ),
  operation(
    'release',
    'release',
    call('DELETE', '/v1/services/mail/hold'),
    (before) => edit(before, ['mail'], () => ({ held: false })),
    { held: true },
  ),
  operation('enrol', 'tester-add', enrol, (before) =>
    edit(before, ['mail'], ({ testers }) => ({ testers: [...testers, leased].toSorted() })),
  ),
  operation(
    'unenrol',
    'tester-remove',
    call('DELETE', `/v1/services/mail/testers/${ENROLLED}`),
    (before) =>
      edit(before, ['mail'], ({ testers }) => ({ testers: testers.filter((one) => one !== leased) })),
    { enrolled: true },
  ),
  operation('testing close', 'testing', testing('closed'), (before) =>
    edit(before, ['mail'], () => ({ testing: 'closed' })),
  ),
  operation(
    'testing open',
    'testing',
    testing('open'),
    (before) => edit(before, ['mail'], () => ({ testing: 'open' })),
    { testing: 'closed' },
  ),
  operation('define', 'define', define(), defined, { defined: false }),
  operation('define anew', 'define', define(OTHER_PORTS), (before) =>
    edit(before, [OTHER], () => ({ ports: OTHER_PORTS })),
  ),
  operation('remove', 'remove', call('DELETE', `/v1/services/${OTHER}`), without),
  operation('reload', null, reload, otherTesters),
  EXPIRY,
  START,
];

function testing(state: 'open' | 'closed'): Operation['act'] {
  return call('PUT', '/v1/services/mail/testing', { state });
}

function defined(before: Picture, { world }: DirectedWorld): Picture {
  const { domus, ports } = world.service(OTHER);
  const { testers = [] } = before['ldap'] ?? {};
  const one: Seen = {
    live: 'primary',
    primary: domus[0].name,
    secondary: domus[1].name,
    testing: 'open',
    held: false,
    testers: testers.filter((text) => text.endsWith('permanent')),
    ports: ports.map(({ from, to, protocol }) => `${from === to ? from : `${from}-${to}`}/${protocol}`),
  };
  return Object.fromEntries(
    Object.entries({ ...before, [OTHER]: one }).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Brings everything into that situation, with what is acknowledged. */
export async function bringAbout(directed: DirectedWorld, wanted: Situation): Promise<void> {
  const { daemon } = directed;
  const must = async (act: Operation['act']): Promise<void> => {
    const { status, body } = await act(directed);
    if (status >= 300)
      throw new Error(`what had to be prepared was refused: ${status} ${JSON.stringify(body)}`);
  };
  const views = (await daemon.call('GET', '/v1/services')).body as ServiceView[];
  const mail = views.find(({ name }) => name === 'mail')!;
  const ldap = views.find(({ name }) => name === 'ldap')!;
  const other = views.find(({ name }) => name === OTHER);
  if (mail.held && !wanted.held) await must(call('DELETE', '/v1/services/mail/hold'));
  if (mail.phase === 'trial' && !wanted.trial) await must(end('rollback'));
  const trialNow = mail.phase === 'trial' && wanted.trial;
  for (const { name, testing: state } of [mail, ldap]) {
    const should = name === 'mail' ? wanted.testing : 'open';
    if (state !== should) await must(call('PUT', `/v1/services/${name}/testing`, { state: should }));
  }
  const there = mail.testers.some(({ source, kind }) => source === ENROLLED && kind === 'leased');
  if (there && !wanted.enrolled) await must(call('DELETE', `/v1/services/mail/testers/${ENROLLED}`));
  if (!there && wanted.enrolled) await must(enrol);
  if (other !== undefined && !wanted.defined) await must(call('DELETE', `/v1/services/${OTHER}`));
  if (wanted.defined && (other === undefined || other.ports.length === OTHER_PORTS.length))
    await must(define());
  if (!trialNow && wanted.trial) await must(order());
  if (!mail.held && wanted.held) await must(call('POST', '/v1/services/mail/hold', { for: '5m' }));
}
