import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CapacityView } from '../../src/api/contract.ts';
import type { CpuReport } from '../../src/meter/report.ts';
import { FakeDaemon, cli } from './support/cli.ts';
import { MIDNIGHT, days, sadfText } from './support/sadf-file.ts';

let daemon: FakeDaemon;
let directory: string;
beforeEach(async () => {
  daemon = await new FakeDaemon().start();
  directory = mkdtempSync(join(tmpdir(), 'director-capacity-'));
});
afterEach(async () => {
  await daemon.destroy();
  rmSync(directory, { recursive: true });
});

const run = (line: string, more: Parameters<typeof cli>[1] = {}) =>
  cli(
    line.split(' ').map((word) => word.replace('@', `${directory}/`)),
    { socket: daemon.socket, ...more },
  );
const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
/** A wave of this height around an hour of the day. */
const wave = (hour: number, at: number, height: number): number =>
  Math.round(height * 100 * Math.exp(-((hour - at) ** 2))) / 100;

/** Mail and LDAP are busy in the morning, backups run at night and are sampled every ten minutes. */
function writeThree(): void {
  const mail = days(2, 300, (h, day) => ({
    usr: 4 + wave(h, 9.5, 30 + 5 * day),
    sys: 1 + wave(h, 9.5, 8),
    iowait: 2,
    frames: 200 + wave(h, 9.5, 3000),
  }));
  const ldap = days(2, 60, (h) => ({ usr: 3 + wave(h, 9, 30), sys: 2, frames: 500 + wave(h, 9, 4000) }));
  const backup = days(2, 600, (h) => ({
    usr: 1 + wave(h, 2, 50),
    sys: 1 + wave(h, 2, 20),
    iowait: wave(h, 2, 20),
  }));
  write('mail.json', sadfText({ nodename: 'mail', cpus: 4, records: mail }));
  write('ldap.json', sadfText({ nodename: 'ldap', cpus: 2, records: ldap }));
  write('backup.json', sadfText({ nodename: 'backup', cpus: 4, records: backup, withoutNetwork: true }));
}

const THREE = 'capacity @mail.json @ldap.json @backup.json --cores 4';
const NO_METER = { title: 'Not Found', status: 404, detail: 'there is no such path', errors: [] };
const report = (more: Partial<CpuReport> = {}): CpuReport => ({
  at: '2026-11-23T03:12:00.000Z',
  mode: 'windows',
  forced: false,
  why: '',
  interval: 5,
  cores: 4,
  baseline: { smallNanos: 600, bulkNanos: 750, measuredAt: '2026-11-23T03:00:00.000Z', measured: true },
  flows: (['in', 'out'] as const).map((direction) => ({
    service: 'mail',
    role: 'primary',
    domu: 'mail-a',
    direction,
    packets: 100_000,
    bytes: 1e7,
    cpuSeconds: 1,
    overheadSeconds: 0.5,
    packetsPerSecond: direction === 'in' ? 1000 : 3000,
    cpuShare: 0.01,
    overheadShare: 0.006,
    nanosPerPacket: direction === 'in' ? 1000 : 2000,
    samples: 5000,
  })),
  unmeasured: [],
  netback: [],
  check: null,
  softirq: { tickSeconds: 1, exactSeconds: null, whyNotExact: 'none' },
  softnet: { dropped: 0, squeezed: 0 },
  probe: { costSeconds: 0, windows: 1, samples: 1, clipped: 0, failures: 0 },
  ...more,
});

describe('how many hosts other machines need', () => {
  it.each([80, 120])('is one picture at %d columns', async (columns) => {
    writeThree();
    const { code, out } = await run(THREE, { columns });
    expect(code).toBe(0);
    expect(out).toMatchSnapshot();
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(columns);
  });

  it('needs no daemon, and says that the cost of a packet is not measured', async () => {
    writeThree();
    const { code, out } = await run(THREE, { socket: '/nowhere/x' });
    expect(code).toBe(0);
    expect(out).toContain('2,992 ns a packet');
    expect(out).toContain('typical, not measured: no daemon was reached');
  });

  it('takes what a packet costs from a daemon that has measured it', async () => {
    writeThree();
    daemon.answer('GET /v1/cpu', 200, report());
    // Each flow counts by its packets: (1000 ns x 1000/s + 2000 ns x 3000/s) / 4000/s.
    expect((await run(THREE)).out).toContain(
      '1,750 ns a packet (600 bridging, 1,150 directing), measured (windows)',
    );
    const machines = await planOf(THREE);
    // 3200 frames a second each way.
    expect(machines['mail']!.peak.packetsPerSecond).toBeCloseTo(6400, -1);
    expect(machines['mail']!.peak.load.routing).toBeCloseTo((6400 * 1750) / 1e9, 4);
  });

  it.each<[string, number, unknown, string]>([
    ['has no meter', 404, NO_METER, 'this daemon has no meter'],
    ['has turned it off', 200, report({ mode: 'off', flows: [] }), 'the meter is off'],
    ['has seen no packet', 200, report({ flows: [] }), 'the meter has not seen a packet yet'],
    ['says what is not understood', 200, [1], 'the meter could not be asked'],
  ])('takes typical figures, and says so, where the daemon %s', async (_what, status, body, words) => {
    writeThree();
    daemon.answer('GET /v1/cpu', status, body);
    expect((await run(THREE)).out).toContain(`typical, not measured: ${words}`);
  });

  interface Plan {
    machines: {
      name: string;
      peak: { at: string; cores: number; packetsPerSecond: number; load: Record<string, number> };
    }[];
    hosts: { least: { count: number }; most: { count: number } } | null;
    least: { peak: { at: string; cores: number; shares: { name: string }[] }; unknown: string[] };
    most: { peak: { at: null; cores: number } };
    tooBig: string[];
    notes: string[];
  }
  const jsonOf = async (line: string): Promise<Plan> => {
    const { code, out, err } = await run(`${line} --json`);
    expect([code, err]).toEqual([0, '']);
    return JSON.parse(out) as Plan;
  };
  const planOf = async (line: string) =>
    Object.fromEntries((await jsonOf(line)).machines.map((machine) => [machine.name, machine]));

  it('tells the same to scripts', async () => {
    writeThree();
    const plan = await jsonOf(THREE);
    expect(plan.least.peak).toMatchObject({
      at: '2026-11-16T02:00:00Z',
      shares: [{ name: 'backup' }, {}, {}],
    });
    expect(plan.least.peak.cores).toBeCloseTo(4 * 0.72 + 4 * 0.05 + 2 * 0.05, 1);
    expect(plan.most.peak.cores).toBeGreaterThan(5);
    expect(plan.hosts).toMatchObject({ least: { count: 1 }, most: { count: 2 } });
  });

  it('counts waiting for disks where that is asked for', async () => {
    writeThree();
    const [without, withIt] = [await planOf(THREE), await planOf(`${THREE} --iowait`)];
    expect(withIt['backup']!.peak.cores - without['backup']!.peak.cores).toBeCloseTo(0.8);
  });

  it('is none where one machine fits on no host, and says how big they must be', async () => {
    writeThree();
    const line = 'capacity @mail.json @backup.json --cores 3';
    expect((await jsonOf(line)).hosts).toBeNull();
    expect((await run(line)).out).toContain('backup needs more by itself than the 2.40 cores');
    expect((await run(line)).out).toContain('at least 4 cores');
  });

  const records = (from: number) => days(1, 300, (h) => ({ usr: 10 + wave(h, 12, 50) }), from);

  it('is refused where there is no day of all, and added by the time of day where that is asked for', async () => {
    write('a.json', sadfText({ nodename: 'a', records: records(MIDNIGHT) }));
    write('b.json', sadfText({ nodename: 'b', records: records(MIDNIGHT + 86_400) }));
    const { code, err } = await run('capacity @a.json @b.json');
    expect(code).toBe(1);
    expect(err).toContain('a: 2026-11-16\n');
    expect(err).toContain('b: 2026-11-17\n');
    expect(err).toContain('--by-time-of-day');
    const { least, most } = await jsonOf('capacity @a.json @b.json --by-time-of-day');
    expect(least.peak.at).toBe('12:00');
    expect(least.peak.cores).toBeCloseTo(most.peak.cores);
  });

  it('tells of gaps, restarts, days that are not whole, and who is not known at the peak', async () => {
    const all = records(MIDNIGHT);
    write('a.json', sadfText({ nodename: 'a', records: all }));
    const morning = all.slice(0, 120).filter((_, at) => at < 24 || at >= 36);
    write('b.json', sadfText({ nodename: 'b', records: morning, restarts: [MIDNIGHT + 10_000] }));
    const { notes, least } = await jsonOf('capacity @a.json @b.json');
    expect(least.unknown).toEqual(['b']);
    expect(notes).toEqual(
      expect.arrayContaining([
        'Nothing is known of b at 2026-11-16 12:00: the least leaves it out, and may be too low.',
        'b: 1 restart, nothing is known of 1h in between.',
        'b: no whole day; its daily average is of 9h.',
      ]),
    );
  });

  it('puts several days and files of a machine together, and names a machine anew', async () => {
    write('1.json', sadfText({ nodename: 'localhost', records: records(MIDNIGHT) }));
    write('2.json', sadfText({ nodename: 'localhost', records: records(MIDNIGHT + 86_400) }));
    expect(Object.keys(await planOf('capacity @1.json @2.json'))).toEqual(['localhost']);
    expect(Object.keys(await planOf('capacity web=@1.json web=@2.json'))).toEqual(['web']);
  });

  it('tells every fault of every file, with its name', async () => {
    write('a.csv', 'a;b;c');
    write('b.json', '{}');
    const { code, err } = await run('capacity @a.csv @b.json @none.json @');
    expect(code).toBe(1);
    expect(err).toContain('4 files cannot be used:');
    expect(err).toMatch(/a\.csv: is not JSON .*sadf -j FILE -- -u ALL -n DEV/);
    expect(err).toMatch(/b\.json: is JSON, but not what sadf prints/);
    expect(err).toMatch(/none\.json: there is no such file/);
    expect(err).toMatch(/: it is a directory/);
  });

  it('prints nothing from a file that would command the terminal', async () => {
    write('a.json', sadfText({ nodename: '\u001b]0;owned\u0007', records: records(MIDNIGHT) }));
    const { out } = await run('capacity @a.json');
    expect(out).toContain('owned');
    expect(out).not.toMatch(/[\x00-\x09\x0b-\x1f]/);
  });

  it.each([
    ['capacity --cores 4', 'none was given'],
    ['capacity a.json --for 3s', 'files were given'],
    ['capacity a.json --cores 0', 'whole number'],
    ['capacity a.json --reserve 95%', '0 to 90'],
  ])('%s is bad usage', async (line, words) => {
    const { code, err } = await run(line);
    expect(code).toBe(2);
    expect(err).toContain(words);
  });
});

describe('what this host can still carry', () => {
  const domu = (name: string, role: 'primary' | 'secondary', rate: number | null) => ({
    service: 'mail',
    domu: name,
    role,
    vifs: rate === null ? [] : ['vif1.0'],
    packetsIn: rate,
    packetsOut: rate === null ? null : rate * 2,
    bytesIn: rate,
    bytesOut: rate,
  });
  const view: CapacityView = {
    at: '2026-11-23T03:12:00.000Z',
    seconds: 3.004,
    cores: 4,
    cpu: {
      user: 0.5,
      nice: 0.1,
      guest: 0,
      system: 0.3,
      irq: 0,
      soft: 0.2,
      steal: 0.1,
      iowait: 0.3,
      idle: 2.5,
    },
    domus: [domu('mail-a', 'primary', 1234), domu('mail-b', 'secondary', null)],
  };

  it('is told with the load, the packets and what they cost', async () => {
    daemon.answer('GET /v1/capacity', 200, view).answer('GET /v1/cpu', 200, report());
    expect((await run('capacity', { columns: 80 })).out).toMatchInlineSnapshot(`
      "This host: 4 cores, looked at for 3.0 s. In cores:
      IDLE  USER  SYSTEM   IRQ  SOFTIRQ  STEAL  IOWAIT
      2.50  0.60    0.30  0.00     0.20   0.10    0.30

      SERVICE  DOMU    ROLE       PACKETS/S IN    OUT  CORES  OF IT DIRECTING
      mail     mail-a  primary           1,234  2,468  0.020            0.012
      mail     mail-b  secondary             -      -  0.000            0.000

      2.00 cores are left beside a reserve of 20%: enough to direct about 1,100,000
      packets/s more, at 1,750 ns each (600 bridging, 1,150 directing).
      The cost of a packet is measured (windows).
      "
    `);
  });

  it('is told with typical figures where nothing is measured', async () => {
    daemon.answer('GET /v1/capacity', 200, view).answer('GET /v1/cpu', 404, NO_METER);
    expect((await run('capacity --reserve 50%', { columns: 80 })).out).toMatchInlineSnapshot(`
      "This host: 4 cores, looked at for 3.0 s. In cores:
      IDLE  USER  SYSTEM   IRQ  SOFTIRQ  STEAL  IOWAIT
      2.50  0.60    0.30  0.00     0.20   0.10    0.30

      SERVICE  DOMU    ROLE       PACKETS/S IN    OUT
      mail     mail-a  primary           1,234  2,468
      mail     mail-b  secondary             -      -

      0.80 cores are left beside a reserve of 50%: enough to direct about 270,000
      packets/s more, at 2,992 ns each (879 bridging, 2,113 directing).
      The cost of a packet is typical, not measured: this daemon has no meter.
      "
    `);
  });

  it('is nothing where less than the reserve is free', async () => {
    daemon
      .answer('GET /v1/capacity?for=500ms', 200, { ...view, cpu: { ...view.cpu, idle: 0.1, user: 2.9 } })
      .answer('GET /v1/cpu', 404, NO_METER);
    expect((await run('capacity --for 500ms')).out).toContain('Nothing is left');
  });

  it('is told to scripts as the API has it, with what is left', async () => {
    daemon.answer('GET /v1/capacity', 200, view).answer('GET /v1/cpu', 200, report());
    const printed = JSON.parse((await run('capacity --json')).out) as object;
    // 2.5 idle and 0.3 waiting, less a fifth of four cores; at 1750 ns a packet.
    expect(printed).toMatchObject({ ...view, packetsPerSecondLeft: Math.floor(2e9 / 1750) });
    expect(printed).toMatchObject({ packet: { measured: true } });
  });

  it('needs a daemon', async () => {
    expect((await run('capacity', { socket: '/nowhere/x' })).code).toBe(3);
  });
});
