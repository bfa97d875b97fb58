import { availableParallelism } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CapacityView } from '../../src/api/contract.ts';
import { directedWorld } from './support/director.ts';
import type { DirectedWorld } from './support/director.ts';

let directed: DirectedWorld;
beforeAll(async () => {
  directed = await directedWorld();
}, 60_000);
afterAll(() => directed.end());

it('the host tells what it has left, and what each DomU receives and sends meanwhile', async () => {
  const { world } = directed;
  const held = world.hold('customer', { host: 'mail', port: 25, every: 5 });
  try {
    await held.next(({ text }) => text !== '', 10_000);
    const { stdout, code } = await directed.director('capacity', '--for', '2s', '--json');
    expect(code).toBe(0);
    const view = JSON.parse(stdout) as CapacityView & { coresLeft: number; packet: { measured: boolean } };
    expect(view.cores).toBeGreaterThanOrEqual(availableParallelism());
    expect(view.coresLeft).toBeLessThanOrEqual(view.cores);
    const of = (name: string) => view.domus.find(({ domu }) => domu === name)!;
    // The dark one hears no more than health checks.
    expect(of('mail-a').packetsIn).toBeGreaterThan(of('mail-b').packetsIn!);
    expect(of('mail-a').packetsOut).toBeGreaterThan(of('mail-b').packetsOut!);
  } finally {
    await held.stop();
  }
  const { stdout } = await directed.director('capacity', '--for', '200ms');
  expect(stdout).toMatch(/^mail +mail-a +primary +\d/m);
});
