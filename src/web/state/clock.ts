import { computed, signal } from '@preact/signals';

/** How far the daemon's clock is ahead of the reader's; milliseconds. A countdown must not lie by it. */
export const skew = signal(0);
const tick = signal(Date.now());
/** The daemon's now, each second. */
export const now = computed(() => tick.value + skew.value);

setInterval(() => (tick.value = Date.now()), 1000);

export function learnSkew(daemonNow: string): void {
  const difference = Date.parse(daemonNow) - Date.now();
  // Below a second it is the way that the answer took.
  skew.value = Math.abs(difference) < 1000 ? 0 : difference;
}
