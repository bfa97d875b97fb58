import { z } from 'zod';
import { Refusal } from '../lib/errors.ts';
import type { Actor } from '../switchover/director.ts';
import { serviceName } from './contract.ts';

/** In a path: what can be no service's name is the name of none (404), where one is made it is wrong (400). */
export const nameParams = z.object({
  name: z.string().meta({ description: 'Name of a service', example: 'mail' }),
});
export const newNameParams = z.object({ name: serviceName });

/** For calls without a body: why, for the journal. */
export const reasonQuery = z.object({
  reason: z.string().max(500).optional().meta({ description: 'Why, for the journal' }),
});

export function knownName(name: string): string {
  if (serviceName.safeParse(name).success) return name;
  throw new Refusal('unknown', `there is no service "${name.slice(0, 40)}"`);
}

export const actorOf = ({ by }: { by: string }, reason?: string): Actor => ({ by, reason });
