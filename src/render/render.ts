import type { Family } from '../model/address.ts';
import type { KernelState } from '../model/kernel-state.ts';
import type { Plan } from '../plan/plan.ts';
import type { Frame } from './frame.ts';
import { renderTables } from './tables.ts';

export type Frames = Readonly<Record<Family, Frame>>;

/** A plan in the kernel's own words: what should be observed once it has been applied. */
export function render(frames: Frames, plan: Plan): KernelState {
  const { bridges, addresses, sets, choice, sysctls, families } = plan;
  return {
    bridges,
    addresses,
    sets,
    choice,
    sysctls,
    tables: { 4: renderTables(frames[4], families[4]), 6: renderTables(frames[6], families[6]) },
  };
}
