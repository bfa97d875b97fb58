import { FAMILIES } from '../model/address.ts';
import type { Choice } from '../model/kernel-state.ts';
import type { DirectorState } from '../model/state.ts';
import { portKeys, sorted } from './sets.ts';

/**
 * Services on trial: their addresses and ports go to the secondary, and both DomUs' roles are inverted for the filter
 * that keeps the dark one dark. All with the trial's deadline, so that the kernel ends it when nobody else does.
 */
export function planChoice({ services }: Pick<DirectorState, 'services'>): Choice {
  const elements = services.flatMap(({ service, trial, pinned }) => {
    if (trial === null || pinned) return [];
    const ports = FAMILIES.flatMap((family) => portKeys(service, family));
    const domus = service.domus.flatMap(({ addresses }) => addresses.map(({ text }) => text));
    return [...ports, ...domus].map((key) => ({ key, expiresAt: trial.confirmBy }));
  });
  return { elements: sorted(elements) };
}
