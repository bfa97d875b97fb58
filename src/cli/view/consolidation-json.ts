import type { Consolidation, Moment, Together, Wish } from '../../capacity/consolidate.ts';
import { unknownAt } from '../../capacity/consolidate.ts';
import type { KnownCost } from '../routing-cost.ts';
import { consolidationNotes } from './consolidation-notes.ts';
import { date, timeOfDay } from './moment.ts';

/** All of it for scripts; loads are in cores, times RFC 3339 (without an offset where they are local). */
export function consolidationJson(plan: Consolidation, wish: Wish, known: KnownCost): unknown {
  const { machines, least, most, usable, hosts, tooBig } = plan;
  const local = machines.some(({ machine }) => machine.zone !== 'UTC');
  const at = (seconds: number): string =>
    wish.byTimeOfDay
      ? timeOfDay(seconds)
      : new Date(seconds * 1000).toISOString().slice(0, 19) + (local ? '' : 'Z');
  const together = ({ peak, average }: Consolidation['least']): object => ({
    peak: { at: peak.at === null ? null : at(peak.at), ...sums(peak) },
    average: { day: average.at === null ? null : date(average.at), ...sums(average) },
  });
  return {
    host: { cores: wish.cores, reserve: wish.reserve, usable },
    machines: machines.map(({ machine, peak, average }) => ({
      name: machine.name,
      files: machine.files,
      cores: machine.cores,
      zone: machine.zone,
      everySeconds: machine.every,
      restarts: machine.restarts,
      unknownSeconds: machine.unknown,
      peak: { at: at(peak.at), ...parts(peak) },
      average: { day: date(average.at), ...parts(average) },
    })),
    least: { ...together(least), unknown: unknownAt(plan, least.peak) },
    most: together(most),
    hosts:
      hosts === null
        ? null
        : {
            least: { count: hosts.least.length, placed: hosts.least },
            most: { count: hosts.most.length, placed: hosts.most },
          },
    tooBig,
    packet: { ...known.cost, measured: known.measured, origin: known.origin },
    notes: consolidationNotes(plan, wish, known),
  };
}

const parts = ({ cores, load, packets }: Moment): object => ({ cores, load, packetsPerSecond: packets });
const sums = ({ cores, load, shares }: Together): object => ({ cores, load, shares });
