import { LONGEST_TIMEOUT } from '../lib/duration.ts';
import { Refusal } from '../lib/errors.ts';
import { formatNetwork, formatSource } from '../model/address.ts';
import type { Network } from '../model/address.ts';
import { familiesOf } from '../model/service.ts';
import type { Testing } from '../model/state.ts';
import { change } from './change.ts';
import type { Context } from './context.ts';
import { journal } from './context.ts';
import type { Actor } from './director.ts';
import type { Entry } from './registry.ts';
import { sameNetwork } from './registry.ts';
import { mustFind } from './switch-over.ts';

/** The source is directed to the secondary until its lease ends, which the kernel counts; null: until somebody removes it. */
export async function enrol(
  context: Context,
  name: string,
  source: Network,
  { expiresIn, note }: { expiresIn: number | null; note: string | null },
  actor: Actor,
): Promise<void> {
  const entry = mustFind(context, name);
  refuseTester(entry, source, expiresIn);
  const expiresAt = expiresIn === null ? null : context.clock.now() + expiresIn;
  const lease = { source, expiresAt, note, by: actor.by };
  const leases = [...entry.leases.filter((other) => !sameNetwork(other.source, source)), lease];
  const until = expiresAt === null ? '' : ` until ${new Date(expiresAt).toISOString()}`;
  await change(context, {
    actor,
    changed: [{ ...entry, leases, generation: entry.generation + 1 }],
    save: () => {
      context.store.saveLease({
        service: name,
        source: formatNetwork(source),
        expiresAt,
        note,
        by: actor.by,
      });
      return [
        journal(context, 'tester-add', [name], actor, `${formatSource(source)} tests ${name}${until}`, {
          source: formatSource(source),
          expiresAt,
        }),
      ];
    },
  });
}

function refuseTester({ service, testing }: Entry, source: Network, expiresIn: number | null): void {
  if (testing === 'closed') {
    throw new Refusal(
      'conflict',
      `testing of ${service.name} is closed: its secondary is not the next version; nobody was enrolled`,
      {
        hint: `once the next version is on it: "director testing ${service.name} open"`,
      },
    );
  }
  if (!familiesOf(service).includes(source.family)) {
    throw new Refusal(
      'unprocessable',
      `${service.name} has no IPv${source.family} address, so ${formatSource(source)} can never reach it`,
    );
  }
  if (service.testers.some((permanent) => sameNetwork(permanent, source))) {
    throw new Refusal(
      'conflict',
      `${formatSource(source)} tests ${service.name} for good already, by the configuration`,
    );
  }
  if (expiresIn !== null && !(expiresIn >= 1000 && expiresIn <= LONGEST_TIMEOUT)) {
    throw new Refusal('invalid', 'a lease lasts from 1s to 24d', {
      faults: [{ path: '/expiresIn', message: 'must be from 1s to 24d' }],
    });
  }
}

export async function unenrol(context: Context, name: string, source: Network, actor: Actor): Promise<void> {
  const entry = mustFind(context, name);
  const text = formatSource(source);
  if (entry.service.testers.some((permanent) => sameNetwork(permanent, source))) {
    throw new Refusal('conflict', `${text} tests ${name} by the configuration; nothing was changed`, {
      hint: `take it out of the service's testers there, or close testing for everybody: "director testing ${name} close"`,
    });
  }
  const leases = entry.leases.filter((lease) => !sameNetwork(lease.source, source));
  if (leases.length === entry.leases.length) throw new Refusal('unknown', `${text} does not test ${name}`);
  await change(context, {
    actor,
    changed: [{ ...entry, leases, generation: entry.generation + 1 }],
    save: () => {
      context.store.removeLease(name, formatNetwork(source));
      return [
        journal(context, 'tester-remove', [name], actor, `${text} does not test ${name} any more`, {
          source: text,
        }),
      ];
    },
  });
}

export async function setTesting(
  context: Context,
  name: string,
  testing: Testing,
  actor: Actor,
): Promise<void> {
  const entry = mustFind(context, name);
  if (entry.testing === testing) return;
  await change(context, {
    actor,
    changed: [{ ...entry, testing, generation: entry.generation + 1 }],
    save: () => [journal(context, 'testing', [name], actor, `testing of ${name} is ${testing}`, { testing })],
  });
}
