import { Refusal } from '../lib/errors.ts';
import { onlineCpus, softirqSeconds, softnet } from './host.ts';
import type { MeterOptions } from './options.ts';
import type { Meter } from './report.ts';

/** Measures nothing, since the configuration says so. */
export function offMeter({ clock }: Pick<MeterOptions, 'clock'>): Meter {
  return {
    report: () => ({
      at: new Date(clock.now()).toISOString(),
      mode: 'off',
      forced: true,
      why: 'the configuration turns the meter off (cpu.meter)',
      interval: 0,
      cores: onlineCpus(),
      baseline: null,
      flows: [],
      unmeasured: [],
      netback: [],
      softirq: { tickSeconds: softirqSeconds(), exactSeconds: null, whyNotExact: 'the meter is off' },
      softnet: softnet(),
      probe: { costSeconds: 0, windows: 0, samples: 0, clipped: 0, failures: 0 },
      check: null,
    }),
    calibrate: () => Promise.reject(new Refusal('unprocessable', 'the meter is turned off (cpu.meter: off)')),
    stop: () => Promise.resolve(),
  };
}
