import { median, quantile } from '../figures.ts';
import type { Results } from '../results.ts';
import type { CaseResult } from '../switches.ts';
import type { Chart, Curve } from './chart.ts';
import { peersOf, rate, sizesOf, worksOf } from './look-up.ts';

/** The pictures of a run, by file name. */
export function plots(results: Results): Record<string, Chart> {
  return {
    'switch-by-services.svg': {
      title: 'One service switched, idle: from request to answer',
      yName: 'ms',
      xName: 'services configured',
      curves: switchCurves(
        results,
        'answer',
        ({ moved, clients }) => moved === 1 && clients === 0,
        'services',
      ),
    },
    'switch-loaded.svg': {
      title: 'One service switched, 4 clients: from request to the first connection on the new DomU',
      yName: 'ms',
      xName: 'services configured',
      curves: switchCurves(
        results,
        'first',
        ({ moved, clients }) => moved === 1 && clients === 4,
        'services',
      ),
    },
    'switch-by-moved.svg': {
      title: 'Several of 100 services switched at once, idle: from request to answer',
      yName: 'ms',
      xName: 'services moved by one request',
      curves: switchCurves(
        results,
        'answer',
        ({ services, clients }) => services === 100 && clients === 0,
        'moved',
      ),
    },
    'connections.svg': {
      title: 'New connections to the last service of the list',
      yName: 'connections a second, 4 clients',
      xName: 'services configured',
      linear: true,
      curves: connectionCurves(results),
    },
  };
}

function switchCurves(
  { switches }: Results,
  what: 'answer' | 'first',
  isMeant: (one: CaseResult) => boolean,
  x: 'services' | 'moved',
): Curve[] {
  return peersOf(switches).map((name) => ({
    name,
    points: switches
      .filter((one) => one.peer === name && one.locked !== true && one.flows === undefined && isMeant(one))
      .map((one) => ({
        x: one[x],
        times: one.flips.map((each) => each[what] / 1e6).filter((time) => time > 0),
      }))
      .filter(({ times }) => times.length > 0)
      .map(({ x: at, times }) => ({ x: at, ...around(times) })),
  }));
}

function connectionCurves(results: Results): Curve[] {
  return peersOf(results.paths).map((name) => ({
    name,
    points: sizesOf(results).flatMap((services) => {
      const at = services === 1 ? 'first' : 'last';
      const rates = worksOf(results, name, { services, kind: 'connections', at }).map(rate);
      return rates.length === 0 ? [] : [{ x: services, ...around(rates) }];
    }),
  }));
}

const around = (values: readonly number[]): { y: number; low: number; high: number } => ({
  y: median(values),
  low: quantile(values, 0.25),
  high: quantile(values, 0.75),
});
