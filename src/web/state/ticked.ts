import { signal } from '@preact/signals';

/** Services that are to be switched together. */
export const ticked = signal<ReadonlySet<string>>(new Set());

export function toggleTick(name: string): void {
  const next = new Set(ticked.value);
  if (!next.delete(name)) next.add(name);
  ticked.value = next;
}
