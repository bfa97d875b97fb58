/** A file as `sadf -j FILE -- -u ALL -n DEV` of sysstat 12.6 prints it; that it is, sadf.test.ts proves. */
export interface SadfOptions {
  readonly nodename?: string;
  readonly cpus?: number;
  readonly records: readonly SadfRecord[];
  readonly restarts?: readonly number[];
  /** Without `-n DEV`. */
  readonly withoutNetwork?: boolean;
  readonly local?: boolean;
}

/** Percent of all CPUs, and frames a second each way on eth0. */
export interface SadfRecord {
  /** Seconds since the epoch. */
  readonly end: number;
  readonly interval: number;
  readonly usr?: number;
  readonly sys?: number;
  readonly iowait?: number;
  readonly steal?: number;
  readonly frames?: number;
}

export const sadfText = (options: SadfOptions): string => JSON.stringify(sadfValue(options));

export function sadfValue({ records, restarts = [], ...options }: SadfOptions): object {
  const first = timeOf(records[0]?.end ?? 0);
  const utc = options.local === true ? 0 : 1;
  return {
    sysstat: {
      hosts: [
        {
          nodename: options.nodename ?? 'mail',
          sysname: 'Linux',
          release: '6.1.0-18-amd64',
          machine: 'x86_64',
          'number-of-cpus': options.cpus ?? 4,
          'file-date': first.date,
          'file-utc-time': first.time,
          timezone: 'UTC',
          statistics: records.map((record) => ({
            timestamp: { ...timeOf(record.end), utc, interval: record.interval },
            'cpu-load': [cpuOf(record)],
            ...(options.withoutNetwork === true ? {} : { network: { 'net-dev': networkOf(record) } }),
          })),
          restarts: restarts.map((at) => ({ boot: { ...timeOf(at), utc, cpu_count: options.cpus ?? 4 } })),
        },
      ],
    },
  };
}

function timeOf(seconds: number): { date: string; time: string } {
  const text = new Date(seconds * 1000).toISOString();
  return { date: text.slice(0, 10), time: text.slice(11, 19) };
}

function cpuOf({ usr = 0, sys = 0, iowait = 0, steal = 0 }: SadfRecord): object {
  const none = { irq: 0, soft: 0, guest: 0, gnice: 0 };
  return { cpu: 'all', usr, nice: 0, sys, iowait, steal, ...none, idle: 100 - usr - sys - iowait - steal };
}

function networkOf({ frames = 0 }: SadfRecord): object[] {
  const none = { rxkB: 0, txkB: 0, rxcmp: 0, txcmp: 0, rxmcst: 0, 'ifutil-percent': 0 };
  return [
    { iface: 'lo', rxpck: 7, txpck: 7, ...none },
    { iface: 'eth0', rxpck: frames, txpck: frames, ...none },
  ];
}

export const MIDNIGHT = Date.UTC(2026, 10, 16) / 1000;

/** Whole days of one record each `interval` seconds; `of` is told the hour (0 to 24) and the day. */
export function days(
  count: number,
  interval: number,
  of: (hour: number, day: number) => Omit<SadfRecord, 'end' | 'interval'>,
  from = MIDNIGHT,
): SadfRecord[] {
  return Array.from({ length: (count * 86_400) / interval }, (_, at) => {
    const begin = at * interval;
    return {
      end: from + begin + interval,
      interval,
      ...of((begin % 86_400) / 3600, Math.floor(begin / 86_400)),
    };
  });
}
