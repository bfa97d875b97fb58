import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { run } from '../../src/lab/run.ts';
import type { Absent } from './contenders.ts';
import type { DaemonFigures } from './daemon-figures.ts';
import { median } from './figures.ts';
import type { PathResult } from './paths.ts';
import { withLibraries } from './peers/unpacked.ts';
import type { CaseResult } from './switches.ts';

/** All that a run has measured, as it is written to results.json; times in nanoseconds where nothing else is said. */
export interface Results {
  readonly machine: Machine;
  readonly switches: readonly CaseResult[];
  readonly paths: readonly PathResult[];
  readonly starts: readonly { readonly peer: string; readonly services: number; readonly ms: number }[];
  readonly absent: readonly Absent[];
  readonly daemon: readonly DaemonFigures[];
  /** Who is not there at all, and why. */
  readonly left: readonly { readonly peer: string; readonly why: string }[];
}

export interface Machine {
  readonly date: string;
  readonly kernel: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly versions: Readonly<Record<string, string>>;
  /** Microseconds for 4 KiB to be written and on the disk: what being durable costs anybody here. */
  readonly syncMicros: number;
  readonly quick: boolean;
}

const VERSIONS: Readonly<Record<string, readonly string[]>> = {
  iptables: ['iptables', '--version'],
  nft: ['nft', '--version'],
  nftlb: ['nftlb', '--help'],
  HAProxy: ['haproxy', '-v'],
  keepalived: ['keepalived', '--version'],
};

export async function machineFacts(quick: boolean): Promise<Machine> {
  const versions = Object.entries(VERSIONS).map(async ([name, argv]) => {
    const { stdout, stderr } = await run(argv, { env: withLibraries(name.toLowerCase()) });
    return [name, /\d+\.\d+[\d.]*\S*/.exec(stdout + stderr)?.[0] ?? '?'] as const;
  });
  return {
    date: new Date().toISOString().slice(0, 10),
    kernel: release(),
    cpu: cpus()[0]?.model ?? '?',
    cpus: cpus().length,
    versions: { Node: process.versions.node, ...Object.fromEntries(await Promise.all(versions)) },
    syncMicros: syncMicros(),
    quick,
  };
}

function syncMicros(): number {
  const path = `/var/tmp/director-bench-sync-${process.pid}`;
  const file = openSync(path, 'w');
  try {
    const times = Array.from({ length: 50 }, () => {
      const since = performance.now();
      writeSync(file, Buffer.alloc(4096));
      fdatasyncSync(file);
      return (performance.now() - since) * 1000;
    });
    return median(times);
  } finally {
    closeSync(file);
    rmSync(path);
  }
}
