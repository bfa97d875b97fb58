import { CLIENTS, DOM0, addressOf } from '../../../src/lab/topology.ts';
import type { Addresses, LabFamily, LabProtocol } from '../../../src/lab/topology.ts';
import type { World } from '../../../src/lab/world.ts';
import { FAMILIES } from './reach.ts';

/** What a DomU connects to: `2500/tcp` of somebody, wherever that is. */
export interface Goal {
  readonly name: string;
  readonly at: Addresses;
  readonly port: `${number}/${LabProtocol}`;
}

export const goals = (name: string, at: Addresses, ports: readonly Goal['port'][]): Goal[] =>
  ports.map((port) => ({ name, at, port }));

export const OUTSIDE_PORT = 2500;
const OUTSIDE = [`${OUTSIDE_PORT}/tcp`, `${OUTSIDE_PORT}/udp`] as const;

export const CUSTOMER = goals('customer', CLIENTS.customer, OUTSIDE);
export const NEIGHBOUR = goals('neighbour', CLIENTS.neighbour, OUTSIDE);
export const ADMIN = goals('admin', CLIENTS.admin, OUTSIDE);
/** Datagrams are asked of the host's nearest address alone: its answers to others would come from that one. */
export const host = (gateway: Addresses): Goal[] => [
  ...goals('dom0', DOM0, OUTSIDE.slice(0, 1)),
  ...goals('its gateway', gateway, OUTSIDE),
];

/** Somebody to talk to in each of these namespaces. */
export async function listen(world: World, namespaces: readonly string[]): Promise<void> {
  const both = (['tcp', 'udp'] as const).map((protocol) => ({
    protocol,
    from: OUTSIDE_PORT,
    to: OUTSIDE_PORT,
  }));
  await Promise.all(namespaces.map((namespace) => world.serve(namespace, 'outside', both)));
}

/** By `DOMU > PORT of NAME, IPvN`; as a whole, so that a difference tells which. */
export type Outwards = Readonly<Record<string, 'through' | 'refused'>>;

const nameOf = (domu: string, { name, port }: Goal, family: LabFamily): string =>
  `${domu} > ${port} of ${name}, IPv${family}`;

/** Opens a connection to each goal in both families. */
export async function outwards(
  world: World,
  domu: string,
  aims: readonly Goal[],
  timeout?: number,
): Promise<Outwards> {
  const each = FAMILIES.flatMap((family) =>
    aims.map(
      async (goal) =>
        [
          nameOf(domu, goal, family),
          (await getsThrough(world, domu, goal, family, timeout)) ? 'through' : 'refused',
        ] as const,
    ),
  );
  return Object.fromEntries(await Promise.all(each));
}

export const all = (domu: string, aims: readonly Goal[], what: 'through' | 'refused'): Outwards =>
  Object.fromEntries(FAMILIES.flatMap((family) => aims.map((goal) => [nameOf(domu, goal, family), what])));

async function getsThrough(
  world: World,
  domu: string,
  goal: Goal,
  family: LabFamily,
  timeout = 3000,
): Promise<boolean> {
  const [port, protocol] = goal.port.split('/') as [string, LabProtocol];
  const host = addressOf(goal.at, family);
  const { error } = await world.ask(domu, { host, port: Number(port), protocol, timeout });
  return error === null;
}

interface Attempt {
  readonly began: number;
  readonly ended: number;
  readonly through: boolean;
}

/** A DomU that connects to all of its goals, in both families, again and again. */
export class Caller {
  readonly attempts: Attempt[] = [];
  readonly #lanes: readonly Promise<void>[];
  #stopped = false;

  constructor(world: World, domu: string, aims: readonly Goal[]) {
    const lane = async (goal: Goal, family: LabFamily): Promise<void> => {
      while (!this.#stopped) {
        const began = performance.now();
        const through = await getsThrough(world, domu, goal, family);
        this.attempts.push({ began, ended: performance.now(), through });
      }
    };
    this.#lanes = FAMILIES.flatMap((family) => aims.map((goal) => lane(goal, family)));
  }

  /** How many attempts that began after `since` came to this end. */
  count(through: boolean, since: number): number {
    return this.attempts.filter((one) => one.through === through && one.began >= since).length;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
  }
}

/** Between these two there is the one moment at which `old` was shut and `next` was opened, if there is any. */
export function turnOf(old: Caller, next: Caller): { notBefore: number; notAfter: number } {
  const of = (caller: Caller, through: boolean): Attempt[] =>
    caller.attempts.filter((attempt) => attempt.through === through);
  return {
    notBefore: Math.max(...[...of(old, true), ...of(next, false)].map(({ began }) => began)),
    notAfter: Math.min(...[...of(old, false), ...of(next, true)].map(({ ended }) => ended)),
  };
}
