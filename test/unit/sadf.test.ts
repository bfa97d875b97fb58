import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { coresOf } from '../../src/capacity/load.ts';
import { machinesOf } from '../../src/capacity/machine.ts';
import { NotSadf, parseSadf } from '../../src/capacity/sadf.ts';
import type { Recording } from '../../src/capacity/sadf.ts';
import { MIDNIGHT, sadfText, sadfValue } from './support/sadf-file.ts';

const fixture = (name: string): string => readFileSync(new URL(`sadf/${name}.json`, import.meta.url), 'utf8');
const only = (text: string): Recording => {
  const [recording, ...others] = parseSadf(text, 'a.json');
  expect(others).toEqual([]);
  return recording!;
};
const complaint = (text: string): string => {
  try {
    parseSadf(text, 'a.json');
  } catch (error) {
    if (error instanceof NotSadf) return error.message;
    throw error;
  }
  return '';
};

describe('what sysstat records on this machine, now', () => {
  const SECONDS = 4;
  let directory: string;
  let raw: string;
  /** Share of a core that our own load got meanwhile. */
  let burnt: number;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'director-sadf-'));
    raw = join(directory, 'raw');
    // Tells after some seconds what it took of the CPU itself, whatever else this machine does.
    const burner = spawn(process.execPath, [
      '-e',
      `const end = Date.now() + ${(SECONDS + 2) * 1000}; while (Date.now() < end); console.log(process.cpuUsage().user / 1e6 / ${SECONDS + 2})`,
    ]);
    const told = new Promise<string>((resolve) => burner.stdout.on('data', (data) => resolve(String(data))));
    execFileSync('/usr/lib/sysstat/sadc', ['1', String(SECONDS + 1), raw], { timeout: 20_000 });
    burnt = Number(await told);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const sadf = (...args: string[]): string =>
    execFileSync('sadf', ['-j', raw, '--', ...args], { encoding: 'utf8', timeout: 20_000 });
  const mean = ({ samples }: Recording): number =>
    samples.reduce((sum, { load }) => sum + coresOf(load, false), 0) / samples.length;

  it('is read, in cores: what was burnt is in it, and no more than there is', () => {
    const recording = only(sadf('-u', 'ALL', '-n', 'DEV'));
    expect(recording).toMatchObject({ cores: cpus().length, zone: 'UTC', boots: [] });
    expect(recording.samples.length).toBeGreaterThanOrEqual(SECONDS - 1);
    expect(mean(recording)).toBeGreaterThan(burnt / 2);
    expect(mean(recording)).toBeLessThanOrEqual(cpus().length + 0.01);
  });

  it('says the same of the whole load in its short form and in its long one', () => {
    expect(mean(only(sadf('-u')))).toBeCloseTo(mean(only(sadf('-u', 'ALL'))), 2);
  });

  it('has the shape of the files that the other tests make up', () => {
    const made = sadfValue({ records: [{ end: MIDNIGHT, interval: 300 }] });
    expect(shapeOf(JSON.parse(sadf('-u', 'ALL', '-n', 'DEV')))).toEqual(shapeOf(made));
  });

  it('is refused in words where it has not what is needed', () => {
    expect(complaint(readFileSync(raw, 'utf8'))).toContain("sysstat's own data file");
    expect(complaint(sadf('-n', 'DEV'))).toContain('nothing of the CPU');
    expect(complaint(sadf('-P', '0', '-u'))).toContain('single CPUs');
  });
});

/** Keys and kinds of values, without the values; lists by their first item. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shapeOf(each)]));
}

describe("files that Debian's sadf wrote", () => {
  it('with all kinds of time and network statistics', () => {
    const { machine, cores, samples } = only(fixture('mail'));
    expect([machine, cores, samples.length]).toEqual(['mail', 2, 3]);
    expect(samples[2]).toMatchObject({
      end: Date.UTC(2026, 10, 23, 6, 2, 31) / 1000,
      seconds: 1,
      load: { user: 1.82, system: 0.15, soft: 0.01 },
      packets: 110,
    });
  });

  it('with the short kinds, and a restart that says with how many CPUs', () => {
    const { samples, boots } = only(fixture('ldap'));
    expect(boots).toEqual([Date.UTC(2026, 10, 23, 6, 2, 31) / 1000]);
    expect(samples[2]!.load).toMatchObject({ user: 1.78, system: 0.19, steal: 0.01, iowait: 0 });
  });

  it('in local time, without a network', () => {
    const { zone, samples } = only(fixture('web-local'));
    expect(zone).toBe('local time');
    expect(samples.every(({ packets }) => packets === null)).toBe(true);
  });

  it('of which one is in local time are not put together with others', () => {
    const found = machinesOf([
      ...parseSadf(fixture('mail'), 'm.json'),
      ...parseSadf(fixture('web-local'), 'w.json'),
    ]);
    expect(found).toEqual({
      contradictions: [{ path: 'w.json', message: expect.stringContaining('local time') as string }],
    });
  });
});

describe('a machine', () => {
  const record = (end: number, usr: number) => ({ end: MIDNIGHT + end, interval: 300, usr });
  const read = (file: string, ...records: { end: number; interval: number; usr: number }[]) =>
    parseSadf(sadfText({ records }), file);
  const machine = (recordings: Recording[]) => {
    const found = machinesOf(recordings);
    if ('contradictions' in found) throw new Error(found.contradictions[0]!.message);
    expect(found.machines).toHaveLength(1);
    return found.machines[0]!;
  };

  it('is put together from several files, and what is in two of them counts once', () => {
    const one = machine([
      ...read('1.json', record(300, 10), record(600, 20)),
      ...read('2.json', record(600, 20), record(900, 60)),
    ]);
    expect(one.files).toEqual(['1.json', '2.json']);
    expect(one.buckets.map(({ seconds }) => seconds)).toEqual([300, 300, 300]);
    expect(one.buckets.map(({ load }) => load.user)).toEqual(
      [0.4, 0.8, 2.4].map((x) => expect.closeTo(x) as number),
    );
  });

  it('has no gap between files whose names are not in the order of time', () => {
    const files = [300, 900, 600].map((end, at) => read(`${at}.json`, record(end, 10)));
    const one = machine(files.flat());
    expect(one.unknown).toBe(0);
  });

  it('is not two machines of one name', () => {
    expect(() => machine([...read('1.json', record(300, 10)), ...read('2.json', record(300, 90))])).toThrow(
      'other-name=2.json',
    );
  });

  it('was not watched in a gap, and restarts are counted', () => {
    const [recording] = parseSadf(
      sadfText({ records: [record(300, 10), record(3900, 10)], restarts: [MIDNIGHT + 3599] }),
      'a.json',
    );
    expect(machine([recording!, { ...recording!, file: 'b.json' }])).toMatchObject({
      unknown: 3300,
      restarts: 1,
    });
  });

  it('has as many cores at a time as it had booted with', () => {
    const text = sadfText({
      cpus: 2,
      records: [record(300, 50), record(1200, 50)],
      restarts: [MIDNIGHT + 800],
    });
    const [recording] = parseSadf(text.replace('"cpu_count":2', '"cpu_count":8'), 'a.json');
    expect(recording!.samples.map(({ load }) => load.user)).toEqual([1, 4]);
    expect(recording!.cores).toBe(8);
  });

  it('has no peak in a moment of which next to nothing is known', () => {
    const boot = { end: MIDNIGHT + 905, interval: 5, usr: 100 };
    expect(machine(read('a.json', record(300, 10), record(600, 20), boot)).buckets).toHaveLength(2);
  });

  it('counts the packets of the wire alone, and once', () => {
    const names = ['bond0', 'eth0', 'eth0.7', 'br-lan', 'vif1.0', 'ens3', 'veth12', 'docker0', 'lo'];
    const text = sadfText({ records: [{ ...record(300, 1), frames: 3 }] }).replace(
      /\{"iface":"eth0"[^}]*\}/,
      names.map((iface) => JSON.stringify({ iface, rxpck: 2, txpck: 3 })).join(','),
    );
    expect(only(text).samples[0]!.packets).toBe(10);
  });
});

it.each([
  ['', 'is empty'],
  ['# hostname;interval;timestamp', 'is not JSON'],
  ['{"services": {}}', 'not what sadf prints'],
  ['[]', 'not what sadf prints'],
  ['{"sysstat": {"hosts": []}}', 'not what sadf prints'],
  [`${sadfText({ records: [] })}\n${sadfText({ records: [] })}`, 'several outputs'],
  [sadfText({ records: [] }), 'no statistics at all'],
  [sadfText({ records: [{ end: MIDNIGHT, interval: 9e9 }] }), 'statistics.0.timestamp.interval'],
  [sadfText({ records: [{ end: MIDNIGHT, interval: 300, usr: -1 }] }), 'statistics.0.cpu-load.0.usr'],
])('%.40j %s', (text, words) => {
  expect(complaint(text)).toContain(words);
});

it('the time zone is told otherwise since sysstat 12.7', () => {
  const text = sadfText({ records: [{ end: MIDNIGHT + 300, interval: 300 }] });
  expect(only(text.replace('"utc":1', '"tz":"UTC"')).zone).toBe('UTC');
  expect(only(text.replace('"utc":1', '"tz":"CEST"')).zone).toBe('CEST');
});
