import { AlwaysGauge } from './always.ts';
import { measureBaseline } from './baseline.ts';
import { CheckedGauge } from './checked.ts';
import { GaugeChoice } from './choose.ts';
import type { Candidate } from './choose.ts';
import { modelGauge } from './gauge.ts';
import { RunningMeter } from './meter.ts';
import { offMeter } from './off.ts';
import type { MeterOptions } from './options.ts';
import type { Meter, MeterMode } from './report.ts';
import { Sampler } from './sampler.ts';
import { WindowGauge } from './windows.ts';

export type { MeteredDomu, MeterOptions } from './options.ts';

/**
 * Starts to measure, in the way that was asked for or in the truest that this host allows. Never throws for what the
 * host lacks: it measures less truly then, and its report says why.
 */
export async function startMeter(options: MeterOptions): Promise<Meter> {
  if (options.wanted === 'off') return offMeter(options);
  const meter = new RunningMeter(options, {
    choice: new GaugeChoice(candidatesFor(options.wanted, options), whyNotTruest(options.wanted), options),
    measureBaseline: (signal) => measureBaseline(options.helper, options.clock, signal),
  });
  await meter.start();
  return meter;
}

type Way = Exclude<MeterMode, 'off'>;

/** From the truest on; the first that works is taken. */
export const CHAINS: Readonly<Record<Way | 'auto', readonly Way[]>> = {
  auto: ['windows', 'sampler', 'model'],
  windows: ['windows', 'sampler', 'model'],
  always: ['always', 'sampler', 'model'],
  sampler: ['sampler', 'model'],
  model: ['model'],
};

const whyNotTruest = (wanted: Way | 'auto'): string =>
  wanted === 'sampler' || wanted === 'model' ? 'the configuration asks for it' : '';

function candidatesFor(wanted: Way | 'auto', options: MeterOptions): Candidate[] {
  const open: Readonly<Record<Way, Candidate['open']>> = {
    windows: async () => CheckedGauge.around(await WindowGauge.open(options), options),
    always: async () => CheckedGauge.around(await AlwaysGauge.open(options), options),
    sampler: () => Sampler.open(options),
    model: () => Promise.resolve(modelGauge),
  };
  return CHAINS[wanted].map((mode) => ({ mode, open: open[mode] }));
}
