import { messageOf } from '../lib/errors.ts';
import { Helper } from './helper.ts';
import type { MeterMode } from './report.ts';
import { Sampler } from './sampler.ts';
import { CHAINS } from './start-meter.ts';

/** What `cpu.meter: auto` comes to on this host. */
export interface MeterHere {
  readonly mode: MeterMode;
  /** How it hooks in, such as `tcx`; empty where it hooks nothing. */
  readonly by: string;
  /** Each truer way, and network softirqs, with why it cannot be; in words. */
  readonly lacking: readonly string[];
}

/** Tries in the order in which the meter does. Hooks are tried where no packet passes, and nothing stays. */
export async function meterHere(helper: string): Promise<MeterHere> {
  // A helper keeps no process alive, and here nothing else does.
  const alive = setInterval(() => undefined, 1000);
  return tryAll(helper).finally(() => clearInterval(alive));
}

async function tryAll(helper: string): Promise<MeterHere> {
  const lacking: string[] = [];
  for (const mode of CHAINS.auto) {
    try {
      const { by, but } = await TRIALS[mode](helper);
      return { mode, by, lacking: [...lacking, ...but] };
    } catch (error) {
      lacking.push(`${mode}: ${messageOf(error)}`);
    }
  }
  return { mode: 'model', by: '', lacking };
}

interface Tried {
  readonly by: string;
  readonly but: readonly string[];
}

const NOTHING: Tried = { by: '', but: [] };

const TRIALS: Readonly<Record<(typeof CHAINS.auto)[number], (helper: string) => Promise<Tried>>> = {
  windows: tryHooks,
  always: tryHooks,
  sampler: async (helper) => {
    await (await Sampler.open({ helper })).close();
    return NOTHING;
  },
  model: () => Promise.resolve(NOTHING),
};

/** The helper's answer: `tcx softirq`, or `tcx nosoftirq REASON` (src/meter/native/check.c). */
async function tryHooks(path: string): Promise<Tried> {
  const { helper, ready } = await Helper.start(path, ['check']);
  await helper.stop();
  const [by = '', softirq, ...reason] = ready.split(' ');
  return { by, but: softirq === 'nosoftirq' ? [`network softirqs: ${reason.join(' ')}`] : [] };
}
