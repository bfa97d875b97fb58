import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from './ask.ts';
import type { Held } from './clients.ts';
import type { Screen } from './screen.ts';
import type { World } from './world.ts';

const EVERY = 500;
const WATCHED = ['customer', 'tester'] as const;

export const saidBy = ({ domu, version, error }: Answer): string =>
  error === null ? `${domu ?? ''} ${version ?? ''}` : `no answer (${error})`;

/** Customers and testers who ask again and again. Tells what they see, and each change of it. */
export class Live {
  readonly #world: World;
  readonly #screen: Screen;
  readonly #seen = new Map<string, string>();
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #held: Held | undefined;

  constructor(world: World, screen: Screen) {
    this.#world = world;
    this.#screen = screen;
  }

  start(): void {
    this.#held = this.#world.hold('customer', { host: 'mail', port: 25, every: 1000 });
    this.#running = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#held?.stop();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await Promise.all(
        WATCHED.flatMap((client) => this.#world.services.map(({ name }) => this.#look(client, name))),
      );
      this.#screen.status(this.#summary());
      await sleep(EVERY, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(client: (typeof WATCHED)[number], service: string): Promise<void> {
    const port = this.#world.service(service).ports[0]?.from ?? 0;
    const now = saidBy(await this.#world.ask(client, { host: service, port }));
    const key = `${client} ${service}`;
    const before = this.#seen.get(key);
    this.#seen.set(key, now);
    if (now === before || this.#stop.signal.aborted) return;
    const { bold, dim, cyan } = this.#screen.colors;
    const from = before === undefined ? '' : `${dim(before)} → `;
    this.#screen.line(
      `${dim(clockTime())}  ${cyan(client.padEnd(8))}  ${service.padEnd(4)}  ${from}${bold(now)}`,
    );
  }

  #summary(): string {
    const each = WATCHED.map((client) => {
      const seen = this.#world.services.map(({ name }) => this.#seen.get(`${client} ${name}`) ?? '?');
      return `${client}: ${seen.join(', ')}`;
    });
    return [...each, `open connection: ${this.#heldText()}`].join('  |  ');
  }

  #heldText(): string {
    const held = this.#held;
    if (held === undefined || held.answers.length === 0) return 'none yet';
    if (held.ended !== null) return `ended (${held.ended})`;
    const domu = /^[^ :]+/.exec(held.answers.at(-1)?.text ?? '')?.[0] ?? '?';
    return `${domu}, ${held.answers.length} answers`;
  }
}

const clockTime = (): string => new Date().toLocaleTimeString('en-GB');
