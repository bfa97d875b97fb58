import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configText } from '../../src/lab/config-file.ts';
import { Daemon } from '../../src/lab/daemon.ts';
import { run } from '../../src/lab/run.ts';
import { World } from '../../src/lab/world.ts';
import { furnish, furnishServices } from './support/foreign.ts';
import { dom0RulesetGeneration } from './support/ruleset-generation.ts';
import { DIRECTOR, LAB_SCRIPTS } from './support/scripts.ts';
import { dumpsOf, foreignPart, settledDumpsOf } from './support/traces.ts';
import type { Dumps, Ours } from './support/traces.ts';

interface Host {
  readonly world: World;
  readonly daemon: Daemon;
  readonly directory: string;
  readonly before: Dumps;
}

/** A director that was never started, and all that its host has by then. */
async function hostBefore(services: number, prepare: (world: World) => Promise<void>): Promise<Host> {
  const directory = await mkdtemp(join(tmpdir(), 'director-e2e-'));
  const world = await World.create({ services, scripts: LAB_SCRIPTS });
  await world.serveAll();
  await prepare(world);
  const daemon = new Daemon(world, { directory, directorArgv: DIRECTOR });
  await mkdir(`${directory}/state`);
  await writeFile(daemon.configFile, configText(world.services, { directory }));
  return { world, daemon, directory, before: await settledDumpsOf(world) };
}

async function end({ world, directory }: Host): Promise<void> {
  await world.destroy();
  await rm(directory, { recursive: true, force: true });
}

async function director({ daemon }: Host, ...args: string[]): Promise<void> {
  const { code, stderr } = await run([...DIRECTOR, ...args, '--socket', daemon.socket], { timeout: 30_000 });
  expect(`${args.join(' ')}: ${code} ${stderr}`).toBe(`${args.join(' ')}: 0 `);
}

async function start({ daemon }: Host): Promise<void> {
  await daemon.start();
  await daemon.healthy();
}

describe('a host with rules, sets, links, addresses and routes of its own', () => {
  let host: Host;
  let ours: Ours;
  beforeAll(async () => {
    host = await hostBefore(3, async (world) => {
      await furnish(world);
      await furnishServices(world, 'mail', 'ldap');
    });
    const { world } = host;
    const [mail, ldap, third] = ['mail', 'ldap', 'svc-3'].map((name) => world.service(name));
    ours = {
      bridges: [mail?.bridge ?? '', third?.bridge ?? ''],
      addresses: [ldap, third].flatMap((service) => [service?.ipv4 ?? '', service?.ipv6 ?? '']),
    };
  }, 60_000);
  afterAll(() => end(host));

  async function reloadWith(count: number): Promise<void> {
    const { world, daemon, directory } = host;
    await writeFile(daemon.configFile, configText(world.services.slice(0, count), { directory }));
    await director(host, 'reload');
  }

  it.each<[string, () => Promise<unknown>]>([
    ['the first start', () => start(host)],
    ['a switch', () => director(host, 'switch', 'mail', 'svc-3', '--to', 'secondary')],
    ['a rollback', () => director(host, 'rollback', 'mail')],
    ['another switch', () => director(host, 'switch', 'mail', 'ldap', '--to', 'secondary')],
    ['its confirm', () => director(host, 'confirm', 'mail')],
    ['testing that is opened', () => director(host, 'testing', 'mail', 'open')],
    ['a tester', () => director(host, 'testers', 'mail', 'add', '198.51.100.0/24', '--for', '8h')],
    ['a hold', () => director(host, 'hold', 'mail', '--for', '5s')],
    ['its end', () => director(host, 'release', 'mail')],
    ['a reload that removes a service', () => reloadWith(2)],
    ['a reload that brings it back', () => reloadWith(3)],
    ['a stop', () => host.daemon.stop()],
    ['a start', () => host.daemon.start()],
    ['a kill -9', () => host.daemon.kill()],
    ['a start after it', () => host.daemon.start()],
  ])('has what is its own byte for byte after %s', async (_what, act) => {
    await act();
    expect(foreignPart(await dumpsOf(host.world), ours)).toEqual(foreignPart(host.before, ours));
  });

  it('has all byte for byte as before the director ever ran, after a teardown', async () => {
    await director(host, 'teardown', '--yes');
    expect(await dumpsOf(host.world)).toEqual(host.before);
    await host.daemon.stop();
    expect(await dumpsOf(host.world)).toEqual(host.before);
  });
});

describe('a host on which nothing was before', () => {
  let host: Host;
  beforeAll(async () => {
    host = await hostBefore(2, () => Promise.resolve());
    await start(host);
  }, 60_000);
  afterAll(() => end(host));

  /** Also the rules' generation, so that nothing was written, not even what was there. */
  const kernel = async (): Promise<Dumps & { generation: string }> => ({
    ...(await dumpsOf(host.world)),
    generation: String(await dom0RulesetGeneration(host.world)),
  });

  it.each([
    { state: 'settled', command: ['testers', 'mail', 'add', '10.8.0.0/16', '--for', '8h'] },
    { state: 'on trial', command: ['switch', 'mail', 'ldap', '--to', 'secondary'] },
    { state: 'confirmed', command: ['confirm', 'mail'] },
  ])('is not written to by a stop, a kill or a start while services are $state', async ({ command }) => {
    const { daemon, world } = host;
    await daemon.healthy();
    await director(host, ...command);
    const held = world.hold('customer', { host: 'mail', port: 25, every: 50 });
    await held.next();
    const before = await kernel();
    for (const act of [
      () => daemon.stop(),
      () => daemon.start(),
      () => daemon.kill(),
      () => daemon.start(),
    ]) {
      await act();
      expect(await kernel()).toEqual(before);
    }
    await held.next();
    expect(held.ended).toBeNull();
    await held.stop();
  });

  it('has after a teardown what it had, but for the empty tables that iptables makes when it is used', async () => {
    await director(host, 'teardown', '--yes');
    const { before, world } = host;
    const after = await dumpsOf(world);
    const tables = ['iptables-save', 'ip6tables-save', 'nft list ruleset'];
    const emptied = Object.fromEntries(tables.map((name) => [name, '']));
    expect({ ...after, ...emptied }).toEqual({ ...before, ...emptied });
    for (const save of ['iptables-save', 'ip6tables-save']) {
      const lines = (after[save] ?? '').split('\n').filter(Boolean);
      expect(lines.filter((line) => !/^(\*\w+|:[A-Z]+ ACCEPT \[0:0\]|COMMIT)$/.test(line))).toEqual([]);
    }
  });
});
