import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { configText } from '../../src/lab/config-file.ts';
import { Daemon } from '../../src/lab/daemon.ts';
import { addressOf, labServices } from '../../src/lab/topology.ts';
import type { LabFamily, LabProtocol } from '../../src/lab/topology.ts';
import { World } from '../../src/lab/world.ts';
import { tellRefusals } from './support/directing.ts';
import { FAMILIES } from './support/reach.ts';
import { DIRECTOR, LAB_SCRIPTS } from './support/scripts.ts';
import { furnishServices } from './support/foreign.ts';

/** One connection, or datagram, of its own: each has a source port that was not used before. */
interface Attempt {
  readonly began: number;
  readonly ended: number;
  readonly domu: string | null;
}

const PORTS: readonly (readonly [number, LabProtocol])[] = [
  [25, 'tcp'],
  [514, 'udp'],
];
const PATIENCE = 400;

/** Asks again and again: mail by its address, and both of its DomUs directly, by TCP and UDP, in both families. */
class Prober {
  readonly lanes = new Map<string, Attempt[]>();
  readonly #running: Promise<void>[] = [];
  #stopped = false;

  constructor(world: World, client: string, names: readonly string[]) {
    for (const name of names)
      for (const family of FAMILIES)
        for (const [port, protocol] of PORTS)
          this.#running.push(this.#lane(world, client, name, family, port, protocol));
  }

  async #lane(
    world: World,
    client: string,
    name: string,
    family: LabFamily,
    port: number,
    protocol: LabProtocol,
  ): Promise<void> {
    const attempts: Attempt[] = [];
    this.lanes.set(`${name}, ${port}/${protocol}, IPv${family}`, attempts);
    const whom = name === 'mail' ? world.service(name) : world.domu(name);
    while (!this.#stopped) {
      const began = performance.now();
      const { domu } = await world.ask(client, {
        host: addressOf(whom, family),
        port,
        protocol,
        timeout: PATIENCE,
      });
      attempts.push({ began, ended: performance.now(), domu });
    }
  }

  /** What began after this time. A DomU on a bridge of its own may be silent for a moment at first. */
  of(name: string, since: number): readonly (readonly [string, readonly Attempt[]])[] {
    return [...this.lanes]
      .filter(([lane]) => lane.startsWith(`${name},`))
      .map(([lane, attempts]) => [lane, attempts.filter(({ began }) => began > since)]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }
}

let world: World;
let daemon: Daemon;
let directory: string;
let prober: Prober;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'director-e2e-'));
  world = await World.create({ services: labServices(1), scripts: LAB_SCRIPTS });
  await world.serveAll();
  // The host forwards already, and both DomUs are on their bridge: whoever knows their addresses reaches them.
  await furnishServices(world, 'mail', 'mail');
  await tellRefusals(world);
  await world.must('dom0', ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
  daemon = new Daemon(world, { directory, directorArgv: DIRECTOR });
  await mkdir(`${directory}/state`);
  await writeFile(daemon.configFile, configText(world.services, { directory }));
  prober = new Prober(world, 'customer', ['mail', 'mail-a', 'mail-b']);
}, 60_000);
afterAll(async () => {
  await prober.stop();
  await world.destroy();
  await rm(directory, { recursive: true, force: true });
});

/** Every lane has had so many more attempts that began from now on. */
async function more(count: number): Promise<void> {
  const since = performance.now();
  const fewest = (): number =>
    Math.min(...[...prober.lanes.values()].map((lane) => lane.filter(({ began }) => began > since).length));
  await expect.poll(fewest, { timeout: 20_000 }).toBeGreaterThan(count);
}

it('a director that starts for the first time shuts the dark DomU once and for all, and the live one never', async () => {
  await more(3);
  for (const domu of ['mail-a', 'mail-b'])
    for (const [lane, attempts] of prober.of(domu, 0)) expect(attempts.at(-1)?.domu, lane).toBe(domu);

  const begun = performance.now();
  await daemon.start();
  const ready = performance.now();
  await more(8);
  await prober.stop();

  for (const [lane, attempts] of prober.of('mail-b', begun)) {
    const firstShut = attempts.find(({ domu }) => domu === null);
    expect(firstShut, lane).toBeDefined();
    const later = attempts.filter(({ began }) => began > (firstShut?.ended ?? 0) || began > ready);
    expect(later.length, lane).toBeGreaterThan(3);
    expect(
      later.map(({ domu }) => domu).filter((domu) => domu !== null),
      `${lane}: open again`,
    ).toEqual([]);
  }
  // From the first guard in the kernel on, every lane of its family is shut, whatever table follows.
  for (const family of FAMILIES) {
    const lanes = prober.of('mail-b', begun).filter(([lane]) => lane.endsWith(`IPv${family}`));
    const shutAt = Math.min(
      ...lanes.map(([, attempts]) => attempts.find(({ domu }) => domu === null)?.ended ?? Infinity),
    );
    const after = lanes.flatMap(([, attempts]) => attempts.filter(({ began }) => began > shutAt));
    expect(after.filter(({ domu }) => domu !== null)).toEqual([]);
  }
  for (const [lane, attempts] of prober.of('mail-a', begun))
    expect(new Set(attempts.map(({ domu }) => domu)), `${lane}: closed`).toEqual(new Set(['mail-a']));
  for (const [lane, attempts] of prober.of('mail', begun)) {
    const answered = attempts.findIndex(({ domu }) => domu !== null);
    const since = attempts.slice(answered).map(({ domu }) => domu);
    expect(new Set(since), lane).toEqual(new Set(['mail-a']));
  }
}, 60_000);
