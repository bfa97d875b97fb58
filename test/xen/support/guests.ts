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

/** libxl gives its own scripts 40 s (LIBXL_HOTPLUG_TIMEOUT), which is little where the machine that emulates is busy. */
const GAVE_UP = 'killing execution of /etc/xen/scripts/';
const CREATE_TRIES = 3;

export async function createGuest(dom0: Dom0, name: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    const { code, stdout, stderr } = await dom0.run(['xl', 'create', guestConfig(name)], {
      timeout: CREATE_S,
    });
    if (code === 0) return;
    if (tries === CREATE_TRIES || !stderr.includes(GAVE_UP))
      throw new Error(`${name} was not created (${code}): ${stderr}${stdout}`);
  }
}

/** Those that xendomains should have started, and that the same haste has ended. */
export async function createMissing(dom0: Dom0, names: readonly string[]): Promise<void> {
  for (const name of names)
    if ((await dom0.run(['xl', 'domid', name])).code !== 0) await createGuest(dom0, name);
}

/** Resolves when the guest's services can be reached since its last start. */
export async function guestIsUp(dom0: Dom0, name: string): Promise<void> {
  await dom0.until(`${name} is up`, async () => (await dom0.read(guestLog(name))).includes(`${name} is up`));
}
