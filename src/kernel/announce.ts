import type { KernelError } from '../lib/errors.ts';
import type { Address } from '../model/address.ts';
import type { LinkClient } from './links/client.ts';
import { announcementFrames } from './links/frames.ts';
import { sendFrames } from './links/send-frames.ts';
import type { Sending } from './links/send-frames.ts';
import { readSysctl } from './sysctl.ts';

/**
 * Addresses that are added one after another are told together, for each telling is a process: twice as long each time
 * while there are always more, as there are at a first start. Milliseconds.
 */
const GATHER_FOR = 20;
const GATHER_LONGEST = 640;
const ETHERNET = /^(?!00:00:00:00:00:00$)[\da-f]{2}(:[\da-f]{2}){5}$/;

/** Tells the neighbours of a link where addresses are now. */
export class Neighbours {
  readonly #links: LinkClient;
  readonly #onError: (error: unknown) => void;
  readonly #gathered = new Map<string, Address[]>();
  readonly #telling = new Set<Promise<void>>();
  readonly #sending = new Set<Sending>();
  #timer: NodeJS.Timeout | null = null;
  #gatherFor = GATHER_FOR;
  #flushedAt = -Infinity;

  constructor(links: LinkClient, onError: (error: unknown) => void) {
    this.#links = links;
    this.#onError = onError;
  }

  /**
   * Resolves when every neighbour has been told once; it is repeated twice, and a failure of that goes to `onError`.
   * A link without an Ethernet address has no neighbours to tell. KernelError ENOENT where there is no such link;
   * see sendFrames for others.
   */
  async announce(name: string, addresses: readonly Address[]): Promise<void> {
    const telling = this.#tell(name, addresses);
    this.#telling.add(telling);
    await telling.finally(() => this.#telling.delete(telling));
  }

  async #tell(name: string, addresses: readonly Address[]): Promise<void> {
    const link = await this.#links.mustFind(name, 'our addresses could not be announced');
    if (!ETHERNET.test(link.mac) || addresses.length === 0) return;
    const forwarding = readSysctl(`net/ipv6/conf/${name}/forwarding`);
    const router = forwarding !== null && forwarding !== '0';
    const frames = addresses.flatMap((address) => announcementFrames(address, link.mac, router));
    const sending = sendFrames(name, link.index, frames);
    this.#sending.add(sending);
    void sending.whole.then((failure) => {
      const wanted = this.#sending.delete(sending);
      if (wanted && failure !== null && !isGone(failure)) this.#onError(failure);
    });
    await sending.first;
  }

  /** Announces within a moment, without making the caller wait; what fails goes to `onError`. */
  soon(name: string, address: Address): void {
    const gathered = this.#gathered.get(name);
    if (gathered === undefined) this.#gathered.set(name, [address]);
    else gathered.push(address);
    this.#timer ??= setTimeout(() => void this.#flush(), this.#nextGathering());
  }

  #nextGathering(): number {
    const again = performance.now() - this.#flushedAt < 2 * this.#gatherFor;
    this.#gatherFor = again ? Math.min(2 * this.#gatherFor, GATHER_LONGEST) : GATHER_FOR;
    return this.#gatherFor;
  }

  async #flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#flushedAt = performance.now();
    const gathered = [...this.#gathered];
    this.#gathered.clear();
    await Promise.all(
      gathered.map(([name, addresses]) => this.announce(name, addresses).catch(this.#onError)),
    );
  }

  /** Waits until what was to be told has been told once; ends the repetitions. */
  async close(): Promise<void> {
    await this.#flush();
    await Promise.allSettled(this.#telling);
    const sending = [...this.#sending];
    this.#sending.clear();
    for (const each of sending) each.cancel();
  }
}

/** A link that has gone since has no neighbours to be told again. */
const isGone = ({ code }: KernelError): boolean => code === 'ENXIO' || code === 'ENODEV';
