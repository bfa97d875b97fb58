import { z } from 'zod';
import { groupBy } from '../lib/group.ts';
import { loadFrom } from './load.ts';
import type { Load } from './load.ts';

/** What happened in the `seconds` before `end`, on average. */
export interface Sample {
  /** Seconds since the epoch, as if the file's clock were UTC. */
  readonly end: number;
  readonly seconds: number;
  readonly load: Load;
  /** Received and sent, a second; null where the file has no network statistics. */
  readonly packets: number | null;
}

/** One machine's samples from one file. */
export interface Recording {
  readonly machine: string;
  readonly file: string;
  readonly cores: number;
  /** `UTC`, or what the file calls its local time. */
  readonly zone: string;
  /** When it booted; seconds, like the samples. */
  readonly boots: readonly number[];
  readonly samples: readonly Sample[];
}

/** The longest that one average may span. Seconds; sadc writes one every few minutes. */
const LONGEST = 31 * 86_400;
const percent = z.number().min(0);
const timestamp = z.looseObject({
  date: z.string().regex(/^\d{4}-\d\d-\d\d$/, 'a date is written 2026-11-23'),
  time: z.string().regex(/^\d\d:\d\d:\d\d$/, 'a time is written 05:40:56'),
  /** Until sysstat 12.6: 1 is UTC, 0 local time. */
  utc: z.number().optional(),
  /** Since sysstat 12.7: the zone's name. */
  tz: z.string().optional(),
});
/** `-u` has user and system; `-u ALL` has usr, sys and the rest. */
const cpuRow = z.looseObject({
  cpu: z.string(),
  user: percent.optional(),
  usr: percent.optional(),
  system: percent.optional(),
  sys: percent.optional(),
  nice: percent.default(0),
  iowait: percent.default(0),
  steal: percent.default(0),
  irq: percent.default(0),
  soft: percent.default(0),
  guest: percent.default(0),
  gnice: percent.default(0),
});
const interfaceRow = z.looseObject({ iface: z.string(), rxpck: percent, txpck: percent });
const record = z.looseObject({
  timestamp: timestamp.extend({ interval: z.number().min(0).max(LONGEST) }).optional(),
  'cpu-load': z.array(cpuRow).optional(),
  /** The name of `-u ALL` before sysstat 10.3. */
  'cpu-load-all': z.array(cpuRow).optional(),
  network: z.looseObject({ 'net-dev': z.array(interfaceRow).optional() }).optional(),
});
const restart = z.looseObject({
  boot: timestamp.extend({ cpu_count: z.number().int().min(1).optional() }).optional(),
});
const host = z.looseObject({
  nodename: z.string().min(1),
  'number-of-cpus': z.number().int().min(1),
  statistics: z.array(record),
  restarts: z.array(restart).default([]),
});
/** What `sadf -j` prints (sysstat's json_stats.c), as far as it is used here. */
export const sadfFile = z.looseObject({
  sysstat: z.looseObject({ hosts: z.array(host).min(1) }),
});

type Host = z.output<typeof host>;
type Row = z.output<typeof cpuRow>;
type Moment = z.output<typeof timestamp>;

const HOW = 'sadf -j FILE -- -u ALL -n DEV';

/** What is wrong with a file, in a sentence. */
export class NotSadf extends Error {}

/** The machines of one file; throws NotSadf. `name`: call the machine so, whatever it calls itself. */
export function parseSadf(text: string, file: string, name?: string): Recording[] {
  const parsed = sadfFile.safeParse(jsonOf(text));
  if (!parsed.success) throw new NotSadf(notSadf(parsed.error));
  const recordings = parsed.data.sysstat.hosts.map((each) => recordingOf(each, file, name ?? each.nodename));
  if (recordings.every(({ samples }) => samples.length === 0))
    throw new NotSadf(noCpu(parsed.data.sysstat.hosts));
  return recordings;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new NotSadf(notJson(text, error as Error));
  }
}

function notJson(text: string, { message }: Error): string {
  if (text.trim() === '') return 'is empty';
  if (text.includes('\u0000') || text.includes('\ufffd'))
    return `is not JSON but, it seems, sysstat's own data file: convert it by "${HOW}"`;
  if (/^\s*\{"sysstat"/.test(text) && text.split('{"sysstat"').length > 2)
    return 'holds several outputs of sadf one after another: give each a file of its own';
  return `is not JSON (${message}): write it by "${HOW}"`;
}

function notSadf({ issues }: z.ZodError): string {
  const [first] = issues;
  const path = first?.path.map(String).join('.') ?? '';
  if (first?.path.length === 0 || path === 'sysstat' || path === 'sysstat.hosts')
    return `is JSON, but not what sadf prints: write it by "${HOW}"`;
  return `is not what sadf prints, at ${path}: ${first?.message ?? 'wrong'}`;
}

function noCpu(hosts: readonly Host[]): string {
  const records = hosts.flatMap(({ statistics }) => statistics);
  if (records.length === 0) return 'has no statistics at all: sadc had not written two records yet';
  if (records.some((each) => rowsOf(each).length > 0))
    return `tells of single CPUs and not of all together: write it by "${HOW}", without -P`;
  return `tells nothing of the CPU: write it by "${HOW}"`;
}

const rowsOf = (each: z.output<typeof record>): readonly Row[] =>
  each['cpu-load'] ?? each['cpu-load-all'] ?? [];

function recordingOf({ statistics, restarts, ...rest }: Host, file: string, machine: string): Recording {
  const boots = restarts.flatMap(({ boot }) => boot ?? []);
  const coresAt = countOfCores(rest['number-of-cpus'], boots);
  const samples = statistics.flatMap((each): Sample[] => {
    const all = rowsOf(each).find(({ cpu }) => cpu === 'all' || cpu === '-1');
    if (all === undefined || each.timestamp === undefined || each.timestamp.interval === 0) return [];
    const end = secondsOf(each.timestamp);
    return [
      {
        end,
        seconds: each.timestamp.interval,
        load: loadOf(all, coresAt(end)),
        packets: packetsOf(each.network?.['net-dev']),
      },
    ];
  });
  const zone = zoneOf(statistics.find(({ timestamp }) => timestamp !== undefined)?.timestamp);
  const cores = coresAt(samples.at(-1)?.end ?? 0);
  return { machine, file, cores, zone, boots: boots.map(secondsOf), samples };
}

/** A machine may come back with other CPUs: since sysstat 11 its restarts say with how many. */
function countOfCores(
  first: number,
  boots: readonly (Moment & { cpu_count?: number | undefined })[],
): (at: number) => number {
  const known = boots
    .map((boot) => ({ at: secondsOf(boot), cores: boot.cpu_count ?? first }))
    .toSorted((a, b) => a.at - b.at);
  return (at) => known.findLast((boot) => boot.at <= at)?.cores ?? first;
}

const secondsOf = ({ date, time }: Moment): number => Date.parse(`${date}T${time}Z`) / 1000;

function zoneOf(moment: Moment | undefined): string {
  if (moment?.tz !== undefined) return moment.tz;
  return moment?.utc === 0 ? 'local time' : 'UTC';
}

function loadOf(row: Row, cores: number): Load {
  const percents = {
    ...row,
    user: row.usr ?? row.user ?? 0,
    system: row.sys ?? row.system ?? 0,
    guest: row.guest + row.gnice,
    routing: 0,
  };
  return loadFrom((kind) => (percents[kind] / 100) * cores);
}

/**
 * Names of interfaces whose packets are counted once more at the one below or above them: loopback, bridges, bonds,
 * VLANs, tunnels, and what belongs to guests and containers.
 */
const NOT_THE_WIRE =
  /^(lo|br|bond|team|virbr|docker|veth|vif|vnet|tap|tun|wg|dummy|ifb|sit|gre|ip6|ovs|cali|flannel|cni)|[.:@]/;

function packetsOf(rows: readonly z.output<typeof interfaceRow>[] | undefined): number | null {
  if (rows === undefined) return null;
  return rows
    .filter(({ iface }) => !NOT_THE_WIRE.test(iface))
    .reduce((sum, { rxpck, txpck }) => sum + rxpck + txpck, 0);
}

/** Recordings of each machine, by name. */
export const byMachine = (recordings: readonly Recording[]): Map<string, Recording[]> =>
  groupBy(recordings, ({ machine }) => machine);
