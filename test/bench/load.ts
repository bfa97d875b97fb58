import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '../../src/lab/run.ts';
import { PLAIN, PORT } from './network.ts';
import type { BenchNetwork, BenchService } from './network.ts';

export const WORKS = ['udp', 'rr', 'connections', 'bulk'] as const;
export type Work = (typeof WORKS)[number];

export interface Took {
  /** Of both ends, with what softirqs did meanwhile in their context and in ksoftirqd; seconds. */
  readonly cpu: number;
  readonly wall: number;
}

/** Both ends on one CPU, and not on the first, which does most other things. */
const CPU = 1;

/** Does a fixed amount of work between the client and a DomU. */
export class Load {
  readonly #network: BenchNetwork;
  readonly #program: string;

  private constructor(network: BenchNetwork, program: string) {
    this.#network = network;
    this.#program = program;
  }

  static async build(network: BenchNetwork): Promise<Load> {
    const program = join(network.directory, 'load');
    const source = fileURLToPath(new URL('native/load.c', import.meta.url));
    await must(['cc', '-std=gnu17', '-O2', '-Wall', '-Wextra', '-Werror', '-o', program, source]);
    return new Load(network, program);
  }

  /** Through the Dom0, to the service's address. */
  routed(work: Work, amount: number, service: BenchService): Promise<Took> {
    return this.#run(work, amount, service.name, service.vip);
  }

  /** Across the plain bridge, to the first service's DomU. */
  bridged(work: Work, amount: number): Promise<Took> {
    return this.#run(work, amount, 'mail', PLAIN);
  }

  async #run(work: Work, amount: number, server: string, address: string): Promise<Took> {
    const ends = [this.#network.ns('client'), this.#network.ns(server)];
    const argv = [this.#program, work, String(amount), ...ends, address, String(PORT), String(CPU)];
    const line = await must(argv, { timeout: 120_000 });
    const match = /^cpu (\d+) softirqd (\d+) wall (\d+)$/m.exec(line);
    const [cpu = NaN, softirqd = NaN, wall = NaN] = (match ?? []).slice(1).map(Number);
    return { cpu: (cpu + softirqd) / 1e9, wall: wall / 1e9 };
  }
}
