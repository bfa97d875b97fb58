import { setTimeout as sleep } from 'node:timers/promises';

/** Where vitest's own polling cannot be had: in hooks, and outside of tests. Throws after `timeout` ms. */
export async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  timeout = 30_000,
): Promise<void> {
  const deadline = Date.now() + timeout;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not so after ${timeout} ms: ${what}`);
    await sleep(100);
  }
}
