import { readFileSync, readdirSync } from 'node:fs';
import { PROC } from './host.ts';
import type { MeteredVif } from './options.ts';
import type { CpuReport } from './report.ts';

/**
 * xen-netback's threads, two a queue: `vif1.0-q0-guest-rx`, `vif1.0-q0-dealloc`, with whatever name the vif has when the
 * guest connects (drivers/net/xen-netback/xenbus.c, connect). Before Linux 5.17 all but 15 characters are cut off.
 */
const THREAD = /^(.+)-q\d+(?:-|$)/;
/** linux/sched.h: anybody may call a process so, but only the kernel has threads of its own. */
const PF_KTHREAD = 0x0020_0000;
/** Threads come with a domain, seldom; looking for them costs a look at every process. */
const LOOK_EVERY = 30;

interface Thread {
  readonly vif: string;
  /** Seconds at the first look, where it was there when the meter began. */
  readonly before: number;
  seconds: number;
}

/** What xen-netback's own threads took for each vif: copying towards the guest, which no softirq does. */
export class Netback {
  readonly #proc: string;
  readonly #threads = new Map<number, Thread>();
  /** Of threads that have ended. */
  readonly #ended = new Map<string, number>();
  #looks = 0;
  #vifs = '';

  constructor(proc = PROC) {
    this.#proc = proc;
  }

  /** Seconds since the first look, by service and DomU; those that have none of these threads are left out. */
  next(vifs: readonly MeteredVif[]): CpuReport['netback'] {
    this.#find(vifs);
    for (const [pid, thread] of this.#threads) this.#advance(pid, thread);
    return this.#sums(vifs);
  }

  #find(vifs: readonly MeteredVif[]): void {
    const names = vifs.map(({ ifname }) => ifname).join(' ');
    const due = this.#looks % LOOK_EVERY === 0 || names !== this.#vifs;
    const first = this.#looks === 0;
    this.#looks++;
    this.#vifs = names;
    if (!due) return;
    for (const pid of pidsIn(this.#proc)) {
      const vif = this.#threads.has(pid) ? null : this.#vifOf(pid);
      const seconds = vif === null ? null : this.#seconds(pid);
      if (vif === null || seconds === null) continue;
      this.#threads.set(pid, { vif, before: first ? seconds : 0, seconds });
    }
  }

  #advance(pid: number, thread: Thread): void {
    const seconds = this.#seconds(pid);
    if (seconds !== null && seconds >= thread.seconds) {
      thread.seconds = seconds;
      return;
    }
    this.#threads.delete(pid);
    this.#ended.set(thread.vif, (this.#ended.get(thread.vif) ?? 0) + thread.seconds - thread.before);
  }

  #sums(vifs: readonly MeteredVif[]): CpuReport['netback'] {
    const sums = new Map<string, { domu: string; service: string; seconds: number }>();
    for (const { ifname, domu, service } of vifs) {
      const living = [...this.#threads.values()].filter(({ vif }) => vif === ifname);
      if (living.length === 0 && !this.#ended.has(ifname)) continue;
      const key = `${service} ${domu}`;
      const sum = sums.get(key) ?? { domu, service, seconds: 0 };
      sum.seconds += this.#ended.get(ifname) ?? 0;
      for (const { seconds, before } of living) sum.seconds += seconds - before;
      sums.set(key, sum);
    }
    return [...sums.values()];
  }

  #vifOf(pid: number): string | null {
    // proc_pid_stat(5): pid (comm) state ppid pgrp session tty tpgid flags ...
    const match = /^\d+ \((.*)\) \S+ \S+ \S+ \S+ \S+ \S+ (\d+) /s.exec(this.#read(pid, 'stat'));
    const vif = THREAD.exec(match?.[1] ?? '')?.[1];
    return vif !== undefined && (Number(match?.[2]) & PF_KTHREAD) !== 0 ? vif : null;
  }

  /** Nanoseconds on a CPU are the first figure (linux, Documentation/scheduler/sched-stats.rst). */
  #seconds(pid: number): number | null {
    const text = this.#read(pid, 'schedstat');
    return text === '' ? null : Number(text.split(' ', 1)[0]) / 1e9;
  }

  #read(pid: number, file: string): string {
    try {
      return readFileSync(`${this.#proc}/${pid}/${file}`, 'utf8');
    } catch {
      return '';
    }
  }
}

function pidsIn(proc: string): number[] {
  return readdirSync(proc).flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}
