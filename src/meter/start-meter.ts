import { DirectorError } from '../lib/errors.ts';
import { GaugeChoice } from './choose.ts';
import type { Candidate } from './choose.ts';
import { modelGauge } from './gauge.ts';
import { RunningMeter } from './meter.ts';
import { offMeter } from './off.ts';
import type { MeterOptions } from './options.ts';
import type { Meter, MeterMode } from './report.ts';

/**
 * Starts to measure, in the way that was asked for or in the truest that this host allows. Never throws for what the
 * host lacks: it measures less truly then, and its report says why.
 */
export async function startMeter(options: MeterOptions): Promise<Meter> {
  if (options.wanted === 'off') return offMeter(options);
  const { candidates, why } = candidatesFor(options);
  const meter = new RunningMeter(options, {
    choice: new GaugeChoice(candidates, why, options),
    measureBaseline: () => Promise.reject(new DirectorError('no helper yet')),
  });
  await meter.start();
  return meter;
}

type Way = Exclude<MeterMode, 'off'>;

const CHAINS: Readonly<Record<Way | 'auto', readonly Way[]>> = {
  auto: ['windows', 'sampler', 'model'],
  windows: ['windows', 'sampler', 'model'],
  always: ['always', 'sampler', 'model'],
  sampler: ['sampler', 'model'],
  model: ['model'],
};

function candidatesFor({ wanted }: MeterOptions): { candidates: Candidate[]; why: string } {
  const ways = wanted === 'off' ? [] : CHAINS[wanted];
  const missing = (): Promise<never> => Promise.reject(new DirectorError('there is no helper'));
  const open: Readonly<Record<Way, Candidate['open']>> = {
    windows: missing,
    always: missing,
    sampler: missing,
    model: () => Promise.resolve(modelGauge),
  };
  return {
    candidates: ways.map((mode) => ({ mode, open: open[mode] })),
    why: wanted === 'sampler' || wanted === 'model' ? 'the configuration asks for it' : '',
  };
}
