import type { Clock } from '../lib/clock.ts';
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
 * Vifs in one window: those that carry most are in every one, the others take turns. Hooking and unhooking waits for all
 * CPUs each time (synchronize_rcu; some milliseconds, more on a busy machine), and whoever changes a link waits for
 * that (rtnl). So few are hooked at once, and windows keep a distance of so many times what the hooking took.
 */
const MOST_VIFS = 4;
const DISTANCE = 10;
const LONGEST_DISTANCE = 10_000;

/** Hooks for a moment in each interval, so that they cost next to nothing: a sample of what passes. */
export class WindowGauge implements Gauge {
  readonly mode = 'windows';
  readonly #helper: Helper;
  readonly #clock: Clock;
  #nextAt = 0;
  #millis = LONG;
  #turn = 0;

  private constructor(helper: Helper, clock: Clock) {
    this.#helper = helper;
    this.#clock = clock;
  }

  static async open({ helper, hooks = 'auto', clock }: MeterOptions): Promise<WindowGauge> {
    return new WindowGauge((await Helper.start(helper, ['hooks', hooks])).helper, clock);
  }

  async measure({ uplink, vifs, busy }: Ports): Promise<Measurement> {
    if (uplink === null) throw noUplink();
    this.#helper.mustLive();
    const began = this.#clock.now();
    // Where nothing passes there is nothing to be timed.
    if (busy === 0 || began < this.#nextAt) return NOTHING;
    const ports = [uplink, ...this.#chosen(vifs, busy)];
    const answer = await this.#helper.ask(`window ${this.#millis} ${ports.join(' ')}`, 'done');
    const parsed = parsePairs(answer);
    const hooking = Math.max(this.#clock.now() - began - this.#millis, 0);
    this.#nextAt = this.#clock.now() + Math.min(hooking * DISTANCE, LONGEST_DISTANCE);
    this.#millis = parsed.samples < FEW ? LONG : SHORT;
    return { ...NOTHING, ...parsed, windows: 1 };
  }

  #chosen(vifs: readonly number[], busy: number): readonly number[] {
    if (busy <= MOST_VIFS) return vifs.slice(0, busy);
    const others = vifs.slice(MOST_VIFS - 1, busy);
    const one = others[this.#turn++ % others.length];
    return [...vifs.slice(0, MOST_VIFS - 1), ...(one === undefined ? [] : [one])];
  }

  close(): Promise<void> {
    return this.#helper.stop();
  }
}

export const noUplink = (): DirectorError =>
  new DirectorError('the uplink is not known, or not there (uplink in the configuration)');
