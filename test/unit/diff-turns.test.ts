import { expect, test } from 'vitest';
import { stepByStep } from '../../src/lib/turn.ts';
import { EMPTY_KERNEL, EMPTY_TABLES } from '../../src/model/kernel-state.ts';
import type { KernelState, SetState } from '../../src/model/kernel-state.ts';
import { diff, diffInSteps } from '../../src/plan/diff.ts';
import { CountedTurns } from './support/counted-turns.ts';

const MANY = 20_000;
const names = Array.from({ length: MANY }, (_, n) => `DIR-s${n}`);

/** A kernel with thousands of chains, elements and addresses; `get` is called for each chain that is compared. */
function kernel(
  rule: string,
  get: (rules: readonly string[]) => readonly string[] = (rules) => rules,
): KernelState {
  const chains = new Map(names.map((name) => [name, [rule]]));
  const original = chains.get.bind(chains);
  chains.get = (name) => get(original(name) ?? []) as string[];
  const set: SetState = {
    name: 'dir-vips',
    type: 'hash:ip',
    family: 4,
    timeouts: false,
    counters: false,
    elements: names.map((key) => ({ key, expiresAt: null })),
  };
  const tables = { ...EMPTY_TABLES, nat: { chains, jumps: [] } };
  return { ...EMPTY_KERNEL, sets: [set], tables: { ...EMPTY_KERNEL.tables, 4: tables } };
}

test('tens of thousands of chains are compared a few at a time', async () => {
  const turns = new CountedTurns();
  const observed = kernel(
    '-j RETURN',
    turns.counted((rules: readonly string[]) => rules),
  );
  const operations = await turns.during(() => stepByStep(diffInSteps(kernel('-j RETURN'), observed)));
  expect(operations).toEqual([]);
  expect(turns.all).toBe(MANY);
  expect(turns.mostAtOnce).toBeLessThan(MANY / 100);
});

test('a little at a time finds what all at once does', async () => {
  const [desired, observed] = [kernel('-j RETURN'), kernel('-j DROP')];
  const found = await stepByStep(diffInSteps(desired, { ...observed, sets: [] }));
  expect(found.length).toBeGreaterThan(0);
  expect(found).toEqual(diff(desired, { ...observed, sets: [] }));
});
