import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
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
/** How often a director that was killed left senders on both DomUs: new ones on one, old ones on the other. */
let leftBehind = 0;

/** While no director runs: new senders go where the kernel says, old ones where they were. */
async function areOnBoth(): Promise<boolean> {
  const before = [heardUdp('mail-a'), heardUdp('mail-b')];
  const grown = (): number[] => [heardUdp('mail-a'), heardUdp('mail-b')].map((n, i) => n - (before[i] ?? 0));
  await expect.poll(() => Math.max(...grown()), { timeout: 15_000 }).toBeGreaterThan(100);
  return Math.min(...grown()) > 10;
}

it.each(MOMENTS)(
  'senders that nobody answers are all on the live DomU once a director is back that was killed in a switch, at %s',
  async (_, moment) => {
    await grows('mail-a');
    const { process: daemon } = directed.daemon;
    const armed = await arm(daemon.pid, moment);
    const order = { services: ['mail'], to: 'secondary', force: true };
    const answer = await directed.daemon.call('POST', '/v1/switches', order).catch(() => null);
    // It may have fewer such steps: then it dies after its answer.
    await armed.disarm();
    if (!daemon.ended) await directed.daemon.kill();
    if (await areOnBoth()) leftBehind++;
    await directed.daemon.start();
    const { live, primary, secondary } = await operator.service('mail');
    const [there, notThere] = live === 'primary' ? [primary, secondary] : [secondary, primary];
    if (answer?.status === 201) expect(live).toBe('secondary');
    // What was under way when the director had become ready may still arrive.
    const strayed = async (): Promise<number> => {
      const before = heardUdp(notThere.domu);
      await grows(there.domu);
      return heardUdp(notThere.domu) - before;
    };
    await expect.poll(strayed, { timeout: 15_000 }).toBe(0);
    await operator.expectReached('customer', 'mail', there.domu);
  },
);

it('of these kills some came before the flip, and some after it but before old senders had followed', async () => {
  expect(leftBehind).toBeGreaterThan(0);
  const kinds = (await operator.journal(200)).map(({ kind }) => kind);
  const switches = kinds.filter((kind) => kind === 'switch').length;
  expect(switches).toBeGreaterThan(0);
  expect(switches).toBeLessThan(MOMENTS.length);
});
