import { setTimeout as sleep } from 'node:timers/promises';
import type { LabProtocol } from '../../src/lab/topology.ts';
import { CLIENTS, addressOf } from '../../src/lab/topology.ts';
import type { World } from '../../src/lab/world.ts';
import { FAMILIES } from '../e2e/support/reach.ts';

/** One question of the customer's: by the service's address, or to a DomU directly; `domu` is who answered. */
interface Sight {
  readonly to: string;
  readonly protocol: LabProtocol;
  readonly direct: boolean;
  readonly began: number;
  readonly ended: number;
  readonly domu: string | null;
}

const PORTS: readonly (readonly [number, LabProtocol])[] = [
  [25, 'tcp'],
  [514, 'udp'],
];
const PAUSE = 60;
const PATIENCE = 250;

/**
 * A customer who asks again and again: mail by its address, and both of its DomUs directly, by TCP and UDP and in both
 * families. DomUs count besides, in their own kernel, the customer's packets that open something.
 */
export class Witness {
  readonly #world: World;
  readonly #domus: readonly string[];
  #sights: Sight[] = [];
  #since = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  asked = 0;

  private constructor(world: World) {
    this.#world = world;
    this.#domus = world.service('mail').domus.map(({ name }) => name);
  }

  static async start(world: World): Promise<Witness> {
    const witness = new Witness(world);
    await Promise.all(
      world.services.flatMap(({ domus }) => domus).map(({ name }) => countOpening(world, name)),
    );
    witness.#running = witness.#look();
    return witness;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** Nothing that was asked before tells of what comes: its answer may still be on the way. */
  forget(): void {
    this.#sights = [];
    this.#since = performance.now();
  }

  /** Openings of the customer's that these DomUs have counted. */
  async counted(domus: readonly string[]): Promise<number> {
    const each = domus.map(async (domu) => {
      const text = await this.#world.must(domu, ['nft', '-j', 'list', 'counters']);
      const { nftables } = JSON.parse(text) as { nftables: { counter?: { packets: number } }[] };
      return nftables.reduce((sum, { counter }) => sum + (counter?.packets ?? 0), 0);
    });
    return (await Promise.all(each)).reduce((a, b) => a + b, 0);
  }

  /**
   * How often a DomU answered directly while it was dark, in a time in which everybody was moved once, from `before` to
   * `after`: before anybody was, to the one; after somebody was, to the other. Flips are one message, so that what was
   * seen of one port tells of all. Without `datagrams`, TCP alone: whoever dies after a flip has not ended the flows of
   * old senders, and until somebody does, a new one that happens to use the port of an old one goes where that went.
   */
  strayed(before: string, after: string, { datagrams }: { datagrams: boolean }): number {
    const sights = this.#sights.filter(({ protocol }) => datagrams || protocol === 'tcp');
    const atService = sights.filter(({ direct }) => !direct);
    const lastBefore = Math.max(...atService.filter(({ domu }) => domu === before).map(({ began }) => began));
    const firstAfter = Math.min(...atService.filter(({ domu }) => domu === after).map(({ ended }) => ended));
    const early = (sight: Sight): boolean => sight.domu === after && sight.ended < lastBefore;
    const late = (sight: Sight): boolean => sight.domu === before && sight.began > firstAfter;
    return sights.filter((sight) => early(sight) || late(sight)).length;
  }

  /** How often this DomU answered the customer at all. */
  answeredBy(domu: string): number {
    return this.#sights.filter((sight) => sight.domu === domu).length;
  }

  async #look(): Promise<void> {
    while (!this.#stopped) {
      await Promise.all(['mail', ...this.#domus].flatMap((to) => this.#askAll(to)));
      await sleep(PAUSE);
    }
  }

  #askAll(to: string): Promise<void>[] {
    const direct = to !== 'mail';
    const whom = direct ? this.#world.domu(to) : this.#world.service(to);
    return FAMILIES.flatMap((family) =>
      PORTS.map(async ([port, protocol]) => {
        const began = performance.now();
        const target = { host: addressOf(whom, family), port, protocol, timeout: PATIENCE };
        const { domu } = await this.#world.ask('customer', target);
        this.asked++;
        if (began >= this.#since)
          this.#sights.push({ to, protocol, direct, began, ended: performance.now(), domu });
      }),
    );
  }
}

/** TCP: what begins a connection. UDP: all, for the service's flows are ended when everybody is moved. */
async function countOpening(world: World, domu: string): Promise<void> {
  const rules = FAMILIES.flatMap((family) => {
    const source = `${family === 4 ? 'ip' : 'ip6'} saddr ${addressOf(CLIENTS.customer, family)}`;
    return [
      `add rule inet witness in ${source} tcp flags & (syn|ack) == syn counter name opened`,
      `add rule inet witness in ${source} meta l4proto udp counter name opened`,
    ];
  });
  const stdin = [
    'add table inet witness',
    'add counter inet witness opened',
    'add chain inet witness in { type filter hook input priority 0; }',
    ...rules,
    '',
  ].join('\n');
  await world.must(domu, ['nft', '-f', '-'], { stdin });
}
