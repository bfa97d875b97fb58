/** What the kernel has counted since boot; read twice, it tells what happened in between. */
export interface HostCounters {
  /** Milliseconds of a clock that nobody sets. */
  readonly at: number;
  readonly cores: number;
  /** Ticks, in the order of proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice. */
  readonly ticks: readonly number[];
  /** By interface. */
  readonly links: ReadonlyMap<string, LinkCounters>;
}

/** As the host sees it: what a vif receives is what its DomU has sent. */
export interface LinkCounters {
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly txPackets: number;
  readonly txBytes: number;
}

/** All in cores; together they are the host's cores. */
export interface CpuUse {
  readonly user: number;
  readonly nice: number;
  readonly guest: number;
  readonly system: number;
  readonly irq: number;
  readonly soft: number;
  readonly steal: number;
  readonly iowait: number;
  readonly idle: number;
}

/** The host over some seconds. */
export interface HostLoad {
  readonly seconds: number;
  readonly cores: number;
  readonly cpu: CpuUse;
  /** A second, by interface; interfaces that were there all the time. */
  readonly links: ReadonlyMap<string, LinkCounters>;
}

export function loadBetween(before: HostCounters, after: HostCounters): HostLoad {
  const seconds = (after.at - before.at) / 1000;
  return {
    seconds,
    cores: after.cores,
    cpu: cpuUse(before.ticks, after.ticks, after.cores),
    links: new Map(
      [...after.links].flatMap(([name, now]) => {
        const then = before.links.get(name);
        return then === undefined ? [] : [[name, ratesOf(then, now, seconds)] as const];
      }),
    ),
  };
}

/** iowait may go backwards, and so may what guests are subtracted from (proc_stat(5)); nothing is less than none. */
function cpuUse(before: readonly number[], after: readonly number[], cores: number): CpuUse {
  const delta = (at: number): number => Math.max(0, (after[at] ?? 0) - (before[at] ?? 0));
  const guest = delta(8);
  const guestNice = delta(9);
  const ticks = {
    user: Math.max(0, delta(0) - guest),
    nice: Math.max(0, delta(1) - guestNice),
    guest: guest + guestNice,
    system: delta(2),
    irq: delta(5),
    soft: delta(6),
    steal: delta(7),
    iowait: delta(4),
    idle: delta(3),
  };
  const all = Object.values(ticks).reduce((sum, each) => sum + each, 0);
  const share = (each: number): number => (all === 0 ? 0 : (each / all) * cores);
  return {
    user: share(ticks.user),
    nice: share(ticks.nice),
    guest: share(ticks.guest),
    system: share(ticks.system),
    irq: share(ticks.irq),
    soft: share(ticks.soft),
    steal: share(ticks.steal),
    iowait: share(ticks.iowait),
    // Nothing was counted at all: nobody needed the CPU.
    idle: all === 0 ? cores : share(ticks.idle),
  };
}

/** A counter that went down belongs to an interface that was made anew. */
function ratesOf(then: LinkCounters, now: LinkCounters, seconds: number): LinkCounters {
  const rate = (name: keyof LinkCounters): number => Math.max(0, now[name] - then[name]) / seconds;
  return {
    rxPackets: rate('rxPackets'),
    rxBytes: rate('rxBytes'),
    txPackets: rate('txPackets'),
    txBytes: rate('txBytes'),
  };
}

/** Cores that are free now and may be used: a core that waits for a disk is free, too; the reserve is of all cores. */
export function coresLeft(
  { cpu, cores }: Pick<HostLoad, 'cores'> & { cpu: Pick<CpuUse, 'idle' | 'iowait'> },
  reserve: number,
): number {
  return Math.max(0, cpu.idle + cpu.iowait - cores * reserve);
}
