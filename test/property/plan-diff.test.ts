import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FakeKernel } from '../../src/kernel/fake.ts';
import type { Family } from '../../src/model/address.ts';
import { FAMILIES } from '../../src/model/address.ts';
import type { KernelState } from '../../src/model/kernel-state.ts';
import { TABLES } from '../../src/model/kernel-state.ts';
import { directedAddress } from '../../src/model/service.ts';
import type { DirectorState, ServiceState } from '../../src/model/state.ts';
import { liveSlot, otherSlot } from '../../src/model/state.ts';
import { portKeys } from '../../src/plan/sets.ts';
import { diff } from '../../src/plan/diff.ts';
import { plan, Planner } from '../../src/plan/plan.ts';
import { renderDifference } from '../../src/render/difference.ts';
import { render } from '../../src/render/render.ts';
import { frames } from '../support.ts';
import {
  CUSTOMER,
  director,
  OPEN_OUTLETS,
  OUTLET,
  OUTLETS,
  pairs,
  settledServices,
  states,
} from './support/arbitrary-state.ts';
import { bring, desired, foreign, hostWithOthers, observe, pending } from './support/kernel-with.ts';
import { send, sendToHost } from './support/packet.ts';
import type { Fate } from './support/packet.ts';

const FRAMES = frames();
const RUNS = { numRuns: 150 };
const FEWER = { numRuns: 60 };

/** What of a kernel is to be the same, in an order of its own. */
function essence(kernel: KernelState): unknown {
  const byName = <T extends { name: string }>(things: readonly T[]): T[] =>
    things.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    sets: byName(kernel.sets.filter(({ name }) => name !== 'dir-backup')),
    choice: kernel.choice?.elements.toSorted((a, b) => (a.key < b.key ? -1 : 1)) ?? null,
    bridges: byName(kernel.bridges.filter(({ ours }) => ours)),
    addresses: kernel.addresses
      .filter(({ ours }) => ours)
      .map(({ link, address }) => `${link} ${address.address}/${address.prefix}`)
      .sort(),
    tables: FAMILIES.flatMap((family) =>
      TABLES.map((table) => {
        const { chains, jumps } = kernel.tables[family][table];
        return {
          family,
          table,
          chains: Object.fromEntries([...chains].sort()),
          jumps: jumps.map((jump) => JSON.stringify(jump)).sort(),
        };
      }),
    ),
  };
}

interface Address {
  readonly family: Family;
  readonly to: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

/** One packet for each protocol and end of a port range of a service is enough: rules match by range. */
function endpoints({ service }: ServiceState): Address[] {
  const ends = new Set(
    service.ports.flatMap(({ protocol, from, to }) => [`${protocol}:${from}`, `${protocol}:${to}`]),
  );
  return FAMILIES.flatMap((family) =>
    portKeys(service, family)
      .map((key) => /^(?<to>.+),(?<protocol>tcp|udp):(?<port>\d+)$/.exec(key)?.groups ?? {})
      .filter(({ protocol, port }) => ends.has(`${protocol ?? ''}:${port ?? ''}`))
      .map(({ to = '', protocol, port }) => ({
        family,
        to,
        port: Number(port),
        protocol: protocol === 'udp' ? 'udp' : 'tcp',
      })),
  );
}

const addressOf = (state: ServiceState, slot: 'a' | 'b', family: Family): string =>
  directedAddress(state.slots[slot], family)?.text ?? '';

function mappedPort({ service }: ServiceState, { protocol, port }: Address): number {
  const range = service.ports.find((one) => one.protocol === protocol && one.from <= port && one.to >= port);
  return range?.target == null ? port : range.target + port - range.from;
}

interface Pair {
  readonly before: ServiceState;
  readonly after: ServiceState;
}

const sameService = ({ before, after }: Pair): boolean =>
  JSON.stringify(before.service) === JSON.stringify(after.service);

function both(a: DirectorState, b: DirectorState): Pair[] {
  return a.services.flatMap((before) => {
    const after = b.services.find(({ id }) => id === before.id);
    return after === undefined ? [] : [{ before, after }];
  });
}

/**
 * Steps that the reconciler may take at once. Roles are exchanged by a confirm alone, which pins first: its own steps
 * are tested below. A trial's definition stays as it is.
 */
function isOneStep({ before, after }: Pair): boolean {
  if (!sameService({ before, after }) && (before.trial !== null || after.trial !== null)) return false;
  return before.primary === after.primary && !(after.pinned && !before.pinned);
}

function expectDirected(kernel: KernelState, { before, after }: Pair): void {
  const common = new Set(endpoints(after).map((one) => JSON.stringify(one)));
  for (const endpoint of endpoints(before).filter((one) => common.has(JSON.stringify(one)))) {
    const allowed = [before, after].map((state): Fate => ({
      verdict: 'directed',
      to: addressOf(state, liveSlot(state), endpoint.family),
      port: mappedPort(state, endpoint),
    }));
    const fate = send(kernel, { ...endpoint, from: CUSTOMER[endpoint.family] });
    expect(allowed, `${before.service.name} at ${JSON.stringify(endpoint)}`).toContainEqual(fate);
  }
}

function expectDark(kernel: KernelState, { before, after }: Pair): void {
  if (!sameService({ before, after }) || liveSlot(before) !== liveSlot(after)) return;
  const dark = otherSlot(liveSlot(before));
  for (const { family, text } of before.slots[dark].addresses) {
    const fate = send(kernel, { from: CUSTOMER[family], to: text, port: 22, protocol: 'tcp' });
    expect(fate.verdict, `${before.service.name}: straight to ${text}`).toBe('rejected');
  }
}

/** What each DomU may open outwards, to others and to the host itself. */
function expectQuarantined(kernel: KernelState, { before, after }: Pair): void {
  if (!sameService({ before, after }) || liveSlot(before) !== liveSlot(after)) return;
  const { quarantine } = before.service;
  for (const slot of ['a', 'b'] as const) {
    const shut = quarantine !== null && slot !== liveSlot(before);
    for (const { family, text: from } of before.slots[slot].addresses) {
      const [listed] = OUTLETS[family].split('/') as [string];
      const tries = [
        { to: CUSTOMER[family], port: OUTLET.port, protocol: 'tcp', allowed: false },
        { to: listed, ...OUTLET, allowed: true },
        { to: listed, port: OUTLET.port, protocol: 'udp', allowed: false },
        { to: listed, port: OUTLET.port + 1, protocol: 'tcp', allowed: false },
        { to: OPEN_OUTLETS[family], port: 53, protocol: 'udp', allowed: true },
      ] as const;
      for (const { allowed, ...rest } of tries) {
        const packet = { from, ...rest };
        const expected = shut && !(allowed && quarantine.length > 0) ? 'rejected' : 'left';
        const fates = [send(kernel, packet).verdict, sendToHost(kernel, packet)];
        expect(fates, `${before.service.name}: ${JSON.stringify(packet)}`).toEqual([expected, expected]);
      }
    }
  }
}

/** A tester for good stays a tester through whatever else changes. */
function expectTested(kernel: KernelState, { before, after }: Pair): void {
  if (!sameService({ before, after }) || before.pinned || after.pinned) return;
  if (before.testing === 'closed' || after.testing === 'closed') return;
  for (const { source } of before.testers) {
    if (!after.testers.some((other) => other.source.address === source.address)) continue;
    for (const endpoint of endpoints(before).filter(({ family }) => family === source.family)) {
      const fate = send(kernel, { ...endpoint, from: source.address });
      expect(fate.to).toBe(addressOf(before, otherSlot(before.primary), endpoint.family));
    }
  }
}

async function expectSafe(
  kernel: FakeKernel,
  known: DirectorState,
  pairsNow: readonly Pair[],
): Promise<void> {
  const now = await observe(kernel, known);
  for (const pair of pairsNow) {
    expectDirected(now, pair);
    expectDark(now, pair);
    expectQuarantined(now, pair);
    expectTested(now, pair);
  }
}

describe('from any state to any other', () => {
  it('the operations make the kernel what the plan says, and nothing is left to do', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, async ([a, b]) => {
        const kernel = hostWithOthers();
        await bring(kernel, a);
        await bring(kernel, b);
        expect(essence(await observe(kernel, b))).toEqual(essence(desired(b)));
        expect(await pending(kernel, b)).toEqual([]);
      }),
      RUNS,
    );
  });

  it('what the host has besides stays as it was, and to nothing at all leaves nothing of ours', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, async ([a, b]) => {
        const kernel = hostWithOthers();
        const before = foreign(kernel);
        for (const state of [a, b, director([])]) {
          await bring(kernel, state);
          expect(foreign(kernel)).toBe(before);
        }
        expect(kernel.dump()).not.toMatch(/DIR-|dir-(?!backup)| ours$/m);
      }),
      RUNS,
    );
  });

  it('a state differs in nothing from itself', () => {
    fc.assert(
      fc.property(states, (state) => {
        expect(diff(desired(state), desired(state))).toEqual([]);
      }),
      RUNS,
    );
  });

  it('after every single operation customers reach a live DomU, the dark one is shut both ways, and testers go on testing', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, async ([a, b]) => {
        const kernel = hostWithOthers();
        await bring(kernel, a);
        const steps = both(a, b).filter(isOneStep);
        await bring(kernel, b, () => expectSafe(kernel, director([...a.services, ...b.services]), steps));
      }),
      RUNS,
    );
  });

  it('who dies in the middle can go on to either state, as safely', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, fc.nat(), fc.boolean(), async ([a, b], cut, forward) => {
        const kernel = hostWithOthers();
        await bring(kernel, a);
        const operations = await pending(kernel, b);
        for (const operation of operations.slice(0, cut % (operations.length + 1)))
          await kernel.apply(operation);
        const target = forward ? b : a;
        const steps = both(a, b).filter(
          (pair) => isOneStep(pair) && isOneStep({ before: pair.after, after: pair.before }),
        );
        await bring(kernel, target, () =>
          expectSafe(kernel, director([...a.services, ...b.services]), steps),
        );
        expect(await pending(kernel, target)).toEqual([]);
        expect(essence(await observe(kernel, target))).toEqual(essence(desired(target)));
      }),
      FEWER,
    );
  });
});

describe('sets that are of another kind than they should be', () => {
  /** Some of those that there are, chosen by the bits of `which`. */
  async function bend(kernel: FakeKernel, state: DirectorState, which: number): Promise<void> {
    const { sets } = await observe(kernel, state);
    const own = sets.filter(({ name }) => name !== 'dir-backup');
    own.forEach(({ name, counters }, i) => {
      if (((which >> (i % 30)) & 1) === 1) kernel.reshapeSet(name, { counters: !counters });
    });
  }

  it('are made anew, and no packet meets anything else meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, fc.nat(), async ([a, b], which) => {
        const kernel = hostWithOthers();
        await bring(kernel, a);
        const before = foreign(kernel);
        await bend(kernel, a, which);
        const steps = both(a, b).filter(isOneStep);
        await bring(kernel, b, () => expectSafe(kernel, director([...a.services, ...b.services]), steps));
        expect(await pending(kernel, b)).toEqual([]);
        expect(essence(await observe(kernel, b))).toEqual(essence(desired(b)));
        expect(foreign(kernel)).toBe(before);
      }),
      FEWER,
    );
  });

  it('are made anew by whoever goes on after one who died in the middle of it', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, fc.nat(), fc.nat(), async ([a, b], which, cut) => {
        const kernel = hostWithOthers();
        await bring(kernel, a);
        await bend(kernel, a, which);
        const operations = await pending(kernel, a);
        for (const operation of operations.slice(0, cut % (operations.length + 1)))
          await kernel.apply(operation);
        const steps = both(a, b).filter(isOneStep);
        await bring(kernel, b, () => expectSafe(kernel, director([...a.services, ...b.services]), steps));
        expect(await pending(kernel, b)).toEqual([]);
        expect(essence(await observe(kernel, b))).toEqual(essence(desired(b)));
      }),
      FEWER,
    );
  });
});

/** What the confirm does (switchover/confirm.ts): the rules that pin come before the sets are emptied. */
const RULES_FIRST = ['set-create', 'set-add', 'choice-create', 'rules'];

describe('the steps of a switch', () => {
  const trial = { switchId: 'sw-1', confirmBy: null };

  it('from settled to trial to confirmed, everybody is at the live DomU and the other is shut, operation by operation', async () => {
    await fc.assert(
      fc.asyncProperty(
        settledServices,
        fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
        async (services, chosen) => {
          const kernel = hostWithOthers();
          const change = (changes: Partial<ServiceState>): ServiceState[] =>
            services.map((state, index) => (chosen[index] === true ? { ...state, ...changes } : state));
          const exchanged = (state: ServiceState, index: number): ServiceState =>
            chosen[index] === true
              ? { ...state, primary: otherSlot(state.primary), testing: 'closed' }
              : state;
          const settled = director(services);
          const onTrial = director(change({ trial }));
          const pinned = director(change({ trial, pinned: true }));
          const confirmed = director(services.map(exchanged));

          await bring(kernel, settled);
          await bring(kernel, onTrial, () => expectSafe(kernel, settled, both(settled, onTrial)));
          const stays = both(onTrial, onTrial);
          for (const operation of await pending(kernel, pinned)) {
            if (!RULES_FIRST.includes(operation.kind)) continue;
            await kernel.apply(operation);
            await expectLive(kernel, stays);
          }
          await bring(kernel, pinned, () => expectLive(kernel, stays));
          await bring(kernel, confirmed, () => expectLive(kernel, stays));
          expect(essence(await observe(kernel, confirmed))).toEqual(essence(desired(confirmed)));
        },
      ),
      RUNS,
    );
  });

  it('a trial changes the choice, and nothing else of a plan, unless a confirm is under way', () => {
    fc.assert(
      fc.property(states, (state) => {
        const withTrial = (one: typeof trial | null): unknown => {
          const services = state.services.map((service) => ({ ...service, pinned: false, trial: one }));
          return essence({ ...render(FRAMES, plan({ ...state, services })), choice: null });
        };
        expect(withTrial(trial)).toEqual(withTrial(null));
      }),
      RUNS,
    );
  });

  it('a rollback moves everybody in its first operation', async () => {
    await fc.assert(
      fc.asyncProperty(settledServices, async (services) => {
        const kernel = hostWithOthers();
        const settled = director(services);
        await bring(kernel, director(services.map((state) => ({ ...state, trial }))));
        const [first] = await pending(kernel, settled);
        expect(first?.kind).toBe('choice-swap');
        await kernel.apply(first!);
        await expectLive(kernel, both(settled, settled));
        expect(await pending(kernel, settled)).toEqual([]);
      }),
      FEWER,
    );
  });

  async function expectLive(kernel: FakeKernel, pairsNow: readonly Pair[]): Promise<void> {
    const now = await observe(kernel, director([]));
    for (const pair of pairsNow) {
      expectDirected(now, pair);
      expectDark(now, pair);
      expectQuarantined(now, pair);
    }
  }
});

describe('what is worked out against a state that is known', () => {
  it('leads to the same kernel as a look at everything, and plans the same as if nothing were known', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, async ([before, after]) => {
        const planner = new Planner();
        const known = planner.plan(before);
        const next = planner.plan(after);
        expect(next).toEqual(plan(after));
        const difference = renderDifference(FRAMES, known, next);
        // A family comes or goes: all of it is looked at then.
        if (difference === null) return;
        const kernel = hostWithOthers();
        await bring(kernel, before);
        const operations = diff(difference.after, difference.before);
        for (const operation of operations) await kernel.apply(operation);
        const left = (await pending(kernel, after)).map(({ why }) => why);
        expect(left).toEqual([]);
      }),
      RUNS,
    );
  });
});
