import type { Dom0 } from './dom0.ts';
import { guestConfig, guestLog } from './topology.ts';

/** A busy machine boots, and creates a guest, so slowly. */
const BOOT_S = 400;
const CREATE_S = 180;

/** Resolves when everything that starts at boot has been started. */
export async function booted(dom0: Dom0): Promise<void> {
  const state = async (): Promise<string> =>
    (await dom0.run(['systemctl', 'is-system-running'])).stdout.trim();
  await dom0.until(
    'the Dom0 has booted',
    async () => ['running', 'degraded'].includes(await state()),
    BOOT_S,
  );
  await dom0.must(['xl', 'info']);
}

export async function createGuest(dom0: Dom0, name: string): Promise<void> {
  await dom0.must(['xl', 'create', guestConfig(name)], { timeout: CREATE_S });
}

/** Resolves when the guest's services can be reached since its last start. */
export async function guestIsUp(dom0: Dom0, name: string): Promise<void> {
  await dom0.until(`${name} is up`, async () => (await dom0.read(guestLog(name))).includes(`${name} is up`));
}
