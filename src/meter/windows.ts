import { DirectorError } from '../lib/errors.ts';
import type { Gauge, Measurement, Ports } from './gauge.ts';
import { NOTHING } from './gauge.ts';
import { Helper } from './helper.ts';
import type { MeterOptions } from './options.ts';
import { parsePairs } from './pairs.ts';

/** Milliseconds of a window while there is much to be seen, and while there is little. */
const SHORT = 20;
const LONG = 100;
/** Fewer timed packets than this in a window make the next one long. */
const FEW = 400;
/**
 * Vifs in one window: attaching waits for all CPUs (synchronize_rcu) for each hook, while others wait for the same lock
 * of the kernel's (rtnl). Those that carry most are in every window, the others take turns.
 */
const MOST_VIFS = 8;

/** Hooks for a moment in each interval, so that they cost next to nothing: a sample of what passes. */
export class WindowGauge implements Gauge {
  readonly mode = 'windows';
  readonly #helper: Helper;
  #millis = LONG;
  #turn = 0;

  private constructor(helper: Helper) {
    this.#helper = helper;
  }

  static async open({ helper, hooks = 'auto' }: MeterOptions): Promise<WindowGauge> {
    return new WindowGauge((await Helper.start(helper, ['hooks', hooks])).helper);
  }

  async measure({ uplink, vifs }: Ports): Promise<Measurement> {
    if (uplink === null) throw noUplink();
    if (vifs.length === 0) return NOTHING;
    const ports = [uplink, ...this.#chosen(vifs)];
    const answer = await this.#helper.ask(`window ${this.#millis} ${ports.join(' ')}`, 'done');
    const { pairs, costSeconds, samples } = parsePairs(answer);
    this.#millis = samples < FEW ? LONG : SHORT;
    return { ...NOTHING, pairs, costSeconds, samples, windows: 1 };
  }

  #chosen(vifs: readonly number[]): readonly number[] {
    if (vifs.length <= MOST_VIFS) return vifs;
    const busy = vifs.slice(0, MOST_VIFS - 1);
    const others = vifs.slice(MOST_VIFS - 1);
    const one = others[this.#turn++ % others.length];
    return one === undefined ? busy : [...busy, one];
  }

  close(): Promise<void> {
    return this.#helper.stop();
  }
}

export const noUplink = (): DirectorError =>
  new DirectorError('the uplink is not known, or not there (uplink in the configuration)');
