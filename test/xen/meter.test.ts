import { describe, expect, it } from 'vitest';
import type { CpuView } from '../../src/api/contract.ts';
import { onFreshDom0 } from './support/scenario.ts';
import { CONFIG_FILE, directorConfig, MAIL } from './support/topology.ts';

const [{ name: live }] = MAIL.domus;

describe('what routing costs', () => {
  it(
    "is timed at the vifs of a kernel without tcx, and netback's threads are a DomU's",
    onFreshDom0(async ({ dom0 }) => {
      await dom0.write(CONFIG_FILE, directorConfig({ meter: 'auto', interval: '5s' }));
      await dom0.must(['systemctl', 'restart', 'dom0-director'], { timeout: 180 });
      await dom0.measures();
      const cpu = async (): Promise<CpuView> => (await dom0.api('GET', '/v1/cpu')) as CpuView;
      expect(await cpu()).toMatchObject({ mode: 'windows', probe: { failures: 0 } });
      const customers = await dom0.load('customer', MAIL.ipv4);
      const timed = async (): Promise<boolean> => {
        const { flows, netback } = await cpu();
        const ofLive = flows.filter(({ domu }) => domu === live);
        const worked = netback.some(({ domu, seconds }) => domu === live && seconds > 0);
        return worked && ofLive.length === 2 && ofLive.every(({ samples }) => samples > 0);
      };
      await dom0.until("both directions of the live DomU's packets are timed", timed, 180);
      for (const { domu, nanosPerPacket } of (await cpu()).flows)
        if (domu === live) expect(nanosPerPacket).toBeGreaterThan(0);
      await customers.stop();
    }),
  );
});
