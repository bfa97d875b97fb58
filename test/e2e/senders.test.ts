import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { CLIENTS } from '../../src/lab/topology.ts';
import type { World } from '../../src/lab/world.ts';
import { arm } from '../faults/weapons.ts';
import type { Moment } from '../faults/weapons.ts';
import { done } from './support/directing.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';
import { editConfig } from './support/edit-config.ts';
import { Operator } from './support/operator.ts';
import { Recorder, Writers } from './support/writing.ts';

const PORT = 2600;

let directed: DirectedWorld;
let operator: Operator;
let world: World;
let writers: Writers;
let recorders: Readonly<Record<string, Recorder>>;

beforeAll(async () => {
  directed = await directedWorld();
  operator = new Operator(directed);
  ({ world } = directed);
  const [a, b] = await Promise.all(['mail-a', 'mail-b'].map((domu) => Recorder.start(world, domu, PORT)));
  recorders = { 'mail-a': a!, 'mail-b': b! };
  await editConfig(directed.daemon.configFile, ({ services }) => {
    (services['mail']!['ports'] as unknown[]).push(`${PORT}/tcp`, `${PORT}/udp`);
  });
  await done(directed, 'reload');
  await directed.daemon.healthy();
  const { ipv4, ipv6 } = world.service('mail');
  writers = await Writers.start(world, 'customer', { hosts: [ipv4, ipv6], port: PORT, kept: 1 });
}, 60_000);
afterEach(() => operator.settleAll());
afterAll(async () => {
  await writers.stop();
  await directed.end();
});

const heardUdp = (domu: string): number => recorders[domu]?.numbers.udp.length ?? 0;
const grows = (domu: string): Promise<unknown> => {
  const had = heardUdp(domu);
  return expect.poll(() => heardUdp(domu) - had, { timeout: 15_000 }).toBeGreaterThan(50);
};

/** Before the intent, between that and the flip, between the flip and the end of old flows, after it: see below. */
const MOMENTS: readonly (readonly [string, Moment])[] = [
  ['its first fsync', { syscall: 'fsync', nth: 1 }],
  ['its second fsync', { syscall: 'fsync', nth: 2 }],
  ['its third fsync', { syscall: 'fsync', nth: 3 }],
  ['its fourth message to the kernel', { syscall: 'sendmsg', nth: 4 }],
  ['its twelfth message to the kernel', { syscall: 'sendmsg', nth: 12 }],
];
/** While no director runs: new senders go where the kernel says, old ones where they were. */
async function areOnBoth(): Promise<boolean> {
  const before = [heardUdp('mail-a'), heardUdp('mail-b')];
  const grown = (): number[] => [heardUdp('mail-a'), heardUdp('mail-b')].map((n, i) => n - (before[i] ?? 0));
  await expect.poll(() => Math.max(...grown()), { timeout: 15_000 }).toBeGreaterThan(100);
  return Math.min(...grown()) > 10;
}

/** The director's own child that looks at the kernel for it, and does what must be done after its death. */
async function survivor(): Promise<number> {
  let found: number | undefined;
  await expect.poll(async () => (found = await whoLooks()), { timeout: 10_000 }).toBeDefined();
  return found ?? NaN;
}

async function whoLooks(): Promise<number | undefined> {
  const { pid } = directed.daemon.process;
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const names = children
    .split(' ')
    .filter(Boolean)
    .map(async (child) => ({ child, name: await readFile(`/proc/${child}/comm`, 'utf8').catch(() => '') }));
  const perl = (await Promise.all(names)).find(({ name }) => name.trim() === 'perl');
  return perl === undefined ? undefined : Number(perl.child);
}

/** Kills the director at this moment of a switch; answers whether the switch was acknowledged. */
async function killInSwitch(moment: Moment): Promise<boolean> {
  await grows('mail-a');
  const { process: daemon } = directed.daemon;
  const armed = await arm(daemon.pid, moment);
  const order = { services: ['mail'], to: 'secondary', force: true };
  const answer = await directed.daemon.call('POST', '/v1/switches', order).catch(() => null);
  // It may have fewer such steps: then it dies after its answer.
  await armed.disarm();
  if (!daemon.ended) await directed.daemon.kill();
  return answer?.status === 201;
}

/** Once the director is back, and has told where everybody should be. */
async function expectAllThere(acknowledged: boolean): Promise<void> {
  const { live, primary, secondary } = await operator.service('mail');
  const [there, notThere] = live === 'primary' ? [primary, secondary] : [secondary, primary];
  if (acknowledged) expect(live).toBe('secondary');
  // What was under way when the director had become ready may still arrive.
  const strayed = async (): Promise<number> => {
    const before = heardUdp(notThere.domu);
    await grows(there.domu);
    return heardUdp(notThere.domu) - before;
  };
  await expect.poll(strayed, { timeout: 15_000 }).toBe(0);
  await operator.expectReached('customer', 'mail', there.domu);
}

it.each(MOMENTS)(
  'senders that nobody answers are all on one DomU, with no director, after one was killed in a switch at %s',
  async (_, moment) => {
    await survivor();
    const acknowledged = await killInSwitch(moment);
    await expect.poll(areOnBoth, { timeout: 15_000 }).toBe(false);
    await directed.daemon.start();
    await expectAllThere(acknowledged);
  },
);

it(
  'the same where nothing of it survives, once a director is back; some were left on both DomUs until then',
  { timeout: 120_000 },
  async () => {
    let leftBehind = 0;
    // When exactly the old senders are looked for depends on the disk, for one.
    for (let nth = 4; nth < 24 && leftBehind < 2; nth++) {
      const stopped = await survivor();
      process.kill(stopped, 'SIGSTOP');
      const acknowledged = await killInSwitch({ syscall: 'sendmsg', nth });
      if (await areOnBoth()) leftBehind++;
      process.kill(stopped, 'SIGKILL');
      await directed.daemon.start();
      await expectAllThere(acknowledged);
      await operator.settleAll();
    }
    expect(leftBehind).toBeGreaterThan(0);
  },
);

it('senders follow who begins and ceases to test', async () => {
  const tester = `/v1/services/mail/testers/${CLIENTS.customer.ipv4}`;
  await grows('mail-a');
  await operator.must(201, 'PUT', tester, { expiresIn: '1h' });
  await grows('mail-b');
  await operator.must(204, 'DELETE', tester);
  await expect.poll(areOnBoth, { timeout: 15_000 }).toBe(false);
  await operator.must(201, 'PUT', tester, { expiresIn: '2s' });
  await grows('mail-b');
  await expect.poll(areOnBoth, { timeout: 20_000 }).toBe(false);
});

it(
  'senders go back at the end of a trial whose director is dead, and a director that is back by then is not disturbed',
  { timeout: 90_000 },
  async () => {
    await grows('mail-a');
    await operator.switch('mail', { confirmWithin: '10s' });
    await grows('mail-b');
    await directed.daemon.kill();
    expect(await areOnBoth(), 'before the deadline').toBe(false);
    await expect.poll(() => heardUdp('mail-a'), { timeout: 30_000 }).toBeGreaterThan(heardUdp('mail-a') + 50);
    await expect.poll(areOnBoth, { timeout: 15_000 }).toBe(false);
    await grows('mail-a');
    await directed.daemon.start();
    const trial = await operator.switch('mail', { confirmWithin: '15s' });
    await directed.daemon.kill();
    await directed.daemon.start();
    await operator.confirm(trial);
    // Past the deadline that was left to others: they are gone, and nobody is moved.
    await expect
      .poll(() => Date.now(), { timeout: 30_000 })
      .toBeGreaterThan(Date.parse(trial.confirmBy!) + 1000);
    await grows('mail-b');
    expect(await areOnBoth()).toBe(false);
  },
);
