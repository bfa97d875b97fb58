import { DirectorError } from '../lib/errors.ts';
import type { Gauge, Measurement } from './gauge.ts';
import { NOTHING } from './gauge.ts';
import { Helper } from './helper.ts';
import type { MeterOptions } from './options.ts';

/** A prime, so that nothing that happens a hundred times a second is always or never hit. */
const HERTZ = 199;

interface Samples {
  readonly forwarded: number;
  readonly routed: number;
}

/**
 * Looks what every CPU is at, so many times a second: what all routing costs, of all network namespaces of this host;
 * it does not tell services apart.
 */
export class Sampler implements Gauge {
  readonly mode = 'sampler';
  readonly #helper: Helper;
  /** Seconds that a sample stands for. */
  readonly #period: number;
  #last: Samples | null = null;

  private constructor(helper: Helper, period: number) {
    this.#helper = helper;
    this.#period = period;
  }

  static async open({ helper: path }: Pick<MeterOptions, 'helper'>): Promise<Sampler> {
    const { helper, ready } = await Helper.start(path, ['sampler', String(HERTZ)]);
    return new Sampler(helper, Number(ready) / 1e9);
  }

  async measure(): Promise<Measurement> {
    const { cpuSeconds, overheadSeconds, samples } = await this.read();
    return { ...NOTHING, total: { cpuSeconds, overheadSeconds }, samples };
  }

  /** Since the last call; the first one finds nothing. */
  async read(): Promise<{ cpuSeconds: number; overheadSeconds: number; samples: number }> {
    const [line = ''] = await this.#helper.ask('', 'samples');
    const [, , forwarded, routed] = line.split(' ').map(Number);
    if (forwarded === undefined || routed === undefined || Number.isNaN(forwarded + routed))
      throw new DirectorError(`the helper answered "${line}"`);
    const now = { forwarded, routed };
    const before = this.#last ?? now;
    this.#last = now;
    return {
      cpuSeconds: (now.forwarded - before.forwarded) * this.#period,
      overheadSeconds: (now.routed - before.routed) * this.#period,
      samples: now.forwarded - before.forwarded,
    };
  }

  close(): Promise<void> {
    return this.#helper.stop();
  }
}
