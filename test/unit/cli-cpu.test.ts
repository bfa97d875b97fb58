import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CpuFlowView, CpuView } from '../../src/api/contract.ts';
import { cpuView } from '../../src/api/contract.ts';
import { FakeDaemon, cli } from './support/cli.ts';

beforeAll(() => {
  process.env.TZ = 'UTC';
});

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await new FakeDaemon().start();
});
afterEach(() => daemon.destroy());

const flow = (
  service: string,
  domu: string,
  direction: 'in' | 'out',
  changes: Partial<CpuFlowView> = {},
): CpuFlowView => ({
  service,
  role: domu.endsWith('a') ? 'primary' : 'secondary',
  domu,
  direction,
  packets: 1_234_567,
  bytes: 1_234_567_000,
  cpuSeconds: 3.5,
  overheadSeconds: 2.75,
  packetsPerSecond: 12_345.6,
  cpuShare: 0.0334,
  overheadShare: 0.0267,
  nanosPerPacket: 2710,
  samples: 40_000,
  ...changes,
});
const quiet = { packetsPerSecond: 0, cpuShare: 0, overheadShare: 0, nanosPerPacket: null };
const view: CpuView = {
  at: '2026-11-23T03:22:43.000Z',
  mode: 'windows',
  forced: false,
  why: '',
  interval: 1.02,
  cores: 2,
  baseline: { smallNanos: 545, bulkNanos: 741, measuredAt: '2026-11-23T03:20:00.000Z', measured: true },
  flows: [
    flow('mail', 'mail-a', 'in'),
    flow('mail', 'mail-a', 'out', { nanosPerPacket: 2304.4 }),
    flow('mail', 'mail-b', 'in', quiet),
    flow('mail', 'mail-b', 'out', quiet),
    flow('ldap', 'ldap-a', 'in', { cpuShare: 0.00041, overheadShare: 0.0003, packetsPerSecond: 12 }),
    flow('ldap', 'ldap-a', 'out', quiet),
  ],
  unmeasured: [],
  netback: [],
  softirq: { tickSeconds: 123.4, exactSeconds: null, whyNotExact: 'none' },
  softnet: { dropped: 0, squeezed: 3 },
  probe: { costSeconds: 0.42, windows: 1204, samples: 530_210, clipped: 1, failures: 0 },
  check: { cpuSeconds: 14, overheadSeconds: 11.2 },
};

const run = (line: string, more: Parameters<typeof cli>[1] = {}) =>
  cli(line.split(' '), { socket: daemon.socket, ...more });

describe('cpu', () => {
  it.each([80, 120])(
    'is a row a DomU, all of them, and how it was measured, at %d columns',
    async (columns) => {
      daemon.answer('GET /v1/cpu', 200, view);
      const { out } = await run('cpu', { columns });
      expect(out).toMatchSnapshot();
      for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
    },
  );

  it('says why it was measured no better', async () => {
    daemon.answer('GET /v1/cpu', 200, {
      ...view,
      mode: 'model',
      why: 'windows: not permitted; sampler: hidden',
      check: null,
      netback: [{ domu: 'mail-a', service: 'mail', seconds: 12.3 }],
    });
    const { out } = await run('cpu');
    expect(out).toContain('typical figures');
    expect(out).toContain('Why: windows: not permitted; sampler: hidden.');
    expect(out).toContain("Netback's own threads for mail-a: 12 s.");
  });

  it('says whose packets nobody sees, in their rows and why', async () => {
    const why = 'no vifs are configured for it';
    const unmeasured = [
      { service: 'ldap', role: 'secondary' as const, domu: 'ldap-b', why },
      {
        service: 'mail',
        role: 'secondary' as const,
        domu: 'mail-b',
        why: 'its vifs are not on this host now',
      },
      ...Array.from({ length: 9 }, (_, n) => ({
        service: 'web',
        role: 'primary' as const,
        domu: `web-${n}`,
        why,
      })),
    ];
    daemon.answer('GET /v1/cpu', 200, { ...view, unmeasured });
    const { out } = await run('cpu', { columns: 200 });
    expect(out).toMatch(/^ +ldap-b +secondary +- +- +- +- +- +-$/m);
    expect(out).toMatch(/^ +mail-b +secondary +- +- +- +- +- +-$/m);
    // After mail's and before web's, not at the end.
    expect(out.indexOf('ldap-b')).toBeLessThan(out.indexOf('web-0'));
    expect(out).toContain('Not measured: mail-b (its vifs are not on this host now).');
    expect(out).toContain(
      'Not measured: ldap-b, web-0, web-1, web-2, web-3, web-4, web-5, web-6 and 2 more (no vifs',
    );
  });

  it('calibrates first where it is asked to, and prints the answer as it came with --json', async () => {
    const { smallNanos, bulkNanos, measuredAt, measured } = view.baseline!;
    daemon
      .answer('POST /v1/cpu/calibrate', 200, { smallNanos, bulkNanos, measuredAt, measured })
      .answer('GET /v1/cpu', 200, view);
    const { out } = await run('cpu --calibrate --json');
    expect(daemon.calls()).toEqual(['POST /v1/cpu/calibrate', 'GET /v1/cpu']);
    expect(cpuView.parse(JSON.parse(out))).toEqual(view);
  });
});
