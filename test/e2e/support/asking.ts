import { setTimeout as sleep } from 'node:timers/promises';
import type { LabFamily } from '../../../src/lab/topology.ts';
import type { World } from '../../../src/lab/world.ts';
import { until } from './until.ts';

/** Far longer than an answer takes, and shorter than TCP waits before it sends again what was lost. */
const PATIENCE_MS = 500;
const PAUSE_MS = 20;

/** A client that connects to a service again and again, each time anew. */
export class Asking {
  readonly #world: World;
  readonly #whom: { readonly client: string; readonly host: string; readonly family: LabFamily };
  readonly #reached: string[] = [];
  readonly #done: Promise<void>;
  #stopping = false;
  #last = performance.now();
  #answered = 0;
  #lost = 0;
  #longest = 0;

  constructor(world: World, client: string, host: string, family: LabFamily) {
    this.#world = world;
    this.#whom = { client, host, family };
    this.#done = this.#ask();
  }

  /** Who answered, in this order; one who answers several times in a row is named once. */
  get reached(): readonly string[] {
    return this.#reached;
  }

  /** Resolves when it has been answered twice from now on: the second one was asked after this was called. */
  async goesOn(): Promise<void> {
    const enough = this.#answered + 2;
    const { client, family } = this.#whom;
    await until(`${client} is answered over IPv${family}`, () => this.#answered >= enough);
  }

  /** Ends it; answers what to print of it. */
  async stop(): Promise<string> {
    this.#stopping = true;
    await this.#done;
    const { client, family } = this.#whom;
    const most = Math.round(this.#longest);
    return `${client} IPv${family}: ${this.#answered} answered, ${this.#lost} not, at most ${most} ms without`;
  }

  async #ask(): Promise<void> {
    const { client, host, family } = this.#whom;
    while (!this.#stopping) {
      const { domu } = await this.#world.ask(client, { host, port: 8000, family, timeout: PATIENCE_MS });
      if (domu === null) this.#lost++;
      else this.#note(domu);
      await sleep(PAUSE_MS);
    }
  }

  #note(domu: string): void {
    const now = performance.now();
    this.#longest = Math.max(this.#longest, now - this.#last);
    this.#last = now;
    this.#answered++;
    if (this.#reached.at(-1) !== domu) this.#reached.push(domu);
  }
}
