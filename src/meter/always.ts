import type { Gauge, Measurement, Ports } from './gauge.ts';
import { NOTHING } from './gauge.ts';
import { Helper } from './helper.ts';
import type { MeterOptions } from './options.ts';
import { parsePairs } from './pairs.ts';
import { noUplink } from './windows.ts';

/** Hooks that stay: every packet is timed, and pays for it. */
export class AlwaysGauge implements Gauge {
  readonly mode = 'always';
  readonly #helper: Helper;

  private constructor(helper: Helper) {
    this.#helper = helper;
  }

  static async open({ helper, hooks = 'auto' }: MeterOptions): Promise<AlwaysGauge> {
    return new AlwaysGauge((await Helper.start(helper, ['hooks', hooks])).helper);
  }

  async measure({ uplink, vifs }: Ports): Promise<Measurement> {
    if (uplink === null) throw noUplink();
    const answer = await this.#helper.ask(`always ${[uplink, ...vifs].join(' ')}`, 'done');
    return { ...NOTHING, ...parsePairs(answer), complete: true };
  }

  close(): Promise<void> {
    return this.#helper.stop();
  }
}
