import { describe, expect, it } from 'vitest';
import type { DaemonFigures } from '../bench/daemon-figures.ts';
import type { Flip } from '../bench/flips.ts';
import { aimsTable } from '../bench/report/aims.ts';
import { growthTable } from '../bench/report/growth.ts';
import { briefSwitches } from '../bench/report/tables.ts';
import { NOTHING } from '../bench/report/nothing.ts';
import type { CaseResult } from '../bench/switches.ts';

const MS = 1e6;
const flip = (first: number, changes: Partial<Flip> = {}): Flip => ({
  way: 'forth',
  outcome: 'done',
  answer: first * MS,
  flip: 0,
  first: first * MS,
  last: first * MS,
  misdirected: 0,
  lost: 0,
  connections: 10,
  ...changes,
});
const switched = (peer: string, flips: readonly Flip[], services = 1, clients = 1): CaseResult => ({
  peer,
  services,
  moved: 1,
  clients,
  flips,
});
const row = (text: string, part: string): string =>
  text.split('\n').find((line) => line.includes(part)) ?? '';

describe('the table of aims', () => {
  const against = (own: number): string =>
    aimsTable({
      ...NOTHING,
      switches: [switched('director', [flip(own)]), switched('nftlb, JSON API', [flip(20)])],
    });

  it('judges by ratios of the same run', () => {
    expect(row(against(0.9), '1 client: against nftlb')).toContain('| yes |');
    expect(row(against(1.1), '1 client: against nftlb')).toContain('| **no** |');
  });

  it('judges nothing that was not measured', () => {
    expect(row(against(1), '4 clients: against nftlb')).toMatch(/\| — \| — \|$/);
  });

  it('counts one connection that is lost or misdirected in any run', () => {
    for (const wrong of [{ lost: 1 }, { misdirected: 1 }]) {
      const switches = [switched('director', [flip(1), flip(1, wrong)])];
      expect(row(aimsTable({ ...NOTHING, switches }), 'lost or misdirected')).toContain('| **no** |');
    }
    const others = [switched('director', [flip(1)]), switched('iptables -R', [flip(1, { lost: 3 })])];
    expect(row(aimsTable({ ...NOTHING, switches: others }), 'lost or misdirected')).toContain('| yes |');
  });
});

describe('the tables of peers', () => {
  it('tell who was late, and how late at least, instead of a median of the rest', () => {
    const late = { outcome: 'late', answer: 2005 * MS } as const;
    const switches = [switched('iptables-legacy -R', [flip(1), flip(1, late)], 1, 0)];
    expect(row(briefSwitches({ ...NOTHING, switches }), 'iptables-legacy -R')).toContain(
      '| more than 2,005 |',
    );
  });
});

describe('the table of growth', () => {
  const daemon = (services: number, resident: number): DaemonFigures => ({
    services,
    firstStart: 1000,
    restart: 1000,
    change: 10,
    resident,
    scrape: 1,
    scrapeBytes: 1,
    held: { chains: 1, rules: 1, sets: 1, elements: 1 },
  });
  const switches = [1, 1000, 10_000].map((services) => switched('director', [flip(1)], services, 0));

  it('lays a straight line through all sizes, up to 100,000', () => {
    const figures = [daemon(1, 50.001e6), daemon(1000, 51e6), daemon(10_000, 60e6)];
    const text = growthTable({ ...NOTHING, switches, daemon: figures });
    expect(row(text, 'memory of the daemon')).toMatch(/\| 50\.0 \| 51 \| 60 \| 1(\.00)? \| 150 \|$/);
  });

  it('makes no slope of what does not grow', () => {
    const figures = [daemon(1, 60e6), daemon(1000, 51e6), daemon(10_000, 50e6)];
    const text = growthTable({ ...NOTHING, switches, daemon: figures });
    expect(row(text, 'memory of the daemon')).toMatch(/\| none seen \| — \|$/);
  });
});
