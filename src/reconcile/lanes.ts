import type { Operation } from '../model/operation.ts';

/**
 * Operations one after another or, where nothing depends on their order, side by side: each inner list is a lane, whose
 * own operations keep their order.
 */
export type Stretch = readonly (readonly Operation[])[];

/** Thousands of bridges, addresses or sets are made in a fraction of the time where none waits for another's answer. */
export function stretchesOf(operations: readonly Operation[]): Stretch[] {
  const stretches: Map<string, Operation[]>[] = [];
  let kindBefore: string | null = null;
  for (const operation of operations) {
    const place = placeOf(operation);
    if (place === null || place.with !== kindBefore) stretches.push(new Map());
    kindBefore = place?.with ?? null;
    const lanes = stretches.at(-1);
    const key = place?.lane ?? '';
    const lane = lanes?.get(key);
    if (lane === undefined) lanes?.set(key, [operation]);
    else lane.push(operation);
  }
  return stretches.map((lanes) => [...lanes.values()]);
}

/** What it may be done beside, and what it must be done after; null: nothing else meanwhile. */
function placeOf(operation: Operation): { readonly with: string; readonly lane: string } | null {
  switch (operation.kind) {
    case 'set-create':
    case 'set-add':
      return { with: 'sets', lane: operation.set.name };
    case 'bridge-add':
      return { with: 'bridges', lane: operation.bridge.name };
    case 'address-add':
      return { with: 'addresses', lane: `${operation.address.link} ${operation.address.address.address}` };
    case 'set-destroy':
      return { with: 'old sets', lane: operation.set.name };
    default:
      return null;
  }
}

/** So many lanes at a time. */
const LANES = 64;

/** All that was begun has ended when it resolves or rejects; after a failure nothing new is begun. */
export async function driveLanes(
  stretch: Stretch,
  carryOut: (operation: Operation) => Promise<void>,
): Promise<void> {
  const waiting = stretch[Symbol.iterator]();
  const failures: unknown[] = [];
  const drive = async (): Promise<void> => {
    for (const lane of waiting) {
      for (const operation of lane) {
        if (failures.length > 0) return;
        await carryOut(operation).catch((error: unknown) => failures.push(error));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(LANES, stretch.length) }, drive));
  if (failures.length > 0) throw failures[0];
}
