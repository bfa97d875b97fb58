import { useEffect, useState } from 'preact/hooks';
import type { TrafficView } from '../../api/contract.ts';
import { get } from './api.ts';
import { link } from './store.ts';

/** Per second; `in` is towards the DomU. */
export interface Rate {
  readonly inBytes: number;
  readonly outBytes: number;
  readonly packets: number;
}

/** By DomU; null: its vif is not known. Missing: not measured yet. */
export type Rates = ReadonlyMap<string, Rate | null>;

const EVERY = 1000;

/** What crosses the vifs of a service's DomUs now: the difference between two looks, while somebody looks. */
export function useRates(name: string): Rates {
  const [rates, setRates] = useState<Rates>(new Map());
  useEffect(() => {
    let before: TrafficView | null = null;
    const abort = new AbortController();
    const look = async (): Promise<void> => {
      if (document.hidden || link.value !== 'live') return;
      const traffic = await get<TrafficView>(`/v1/services/${name}/traffic`, abort.signal);
      if (before !== null) setRates(ratesBetween(before, traffic));
      before = traffic;
    };
    const timer = setInterval(() => void look().catch(() => undefined), EVERY);
    void look().catch(() => undefined);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [name]);
  return rates;
}

function ratesBetween(a: TrafficView, b: TrafficView): Rates {
  const seconds = Math.max((Date.parse(b.at) - Date.parse(a.at)) / 1000, 0.001);
  const before = new Map(a.domus.map(({ domu, carried }) => [domu, carried]));
  return new Map(
    b.domus.map(({ domu, carried }): [string, Rate | null] => {
      const old = before.get(domu);
      if (carried === null || old == null) return [domu, null];
      // A vif that came anew counts from zero.
      const per = (now: number, then: number): number => Math.max(now - then, 0) / seconds;
      return [
        domu,
        {
          inBytes: per(carried.in.bytes, old.in.bytes),
          outBytes: per(carried.out.bytes, old.out.bytes),
          packets: per(carried.in.packets + carried.out.packets, old.in.packets + old.out.packets),
        },
      ];
    }),
  );
}
