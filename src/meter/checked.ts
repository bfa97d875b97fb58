import type { Gauge, Measurement, Ports } from './gauge.ts';
import type { MeterOptions } from './options.ts';
import type { MeterMode } from './report.ts';
import { Sampler } from './sampler.ts';

/** A gauge with the sampler beside it, where this host has one, so that two ways can be compared. */
export class CheckedGauge implements Gauge {
  readonly mode: MeterMode;
  readonly #gauge: Gauge;
  #sampler: Sampler | null;

  private constructor(gauge: Gauge, sampler: Sampler | null) {
    this.mode = gauge.mode;
    this.#gauge = gauge;
    this.#sampler = sampler;
  }

  static async around(gauge: Gauge, options: MeterOptions): Promise<CheckedGauge> {
    return new CheckedGauge(gauge, await Sampler.open(options).catch(() => null));
  }

  async measure(ports: Ports): Promise<Measurement> {
    const measured = await this.#gauge.measure(ports);
    return { ...measured, check: await this.#check() };
  }

  /** One that fails is not tried again: nothing is made of its figures. */
  async #check(): Promise<Measurement['check']> {
    try {
      return (await this.#sampler?.read()) ?? null;
    } catch {
      await this.#sampler?.close();
      this.#sampler = null;
      return null;
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#gauge.close(), this.#sampler?.close()]);
  }
}
