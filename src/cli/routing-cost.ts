import { cpuView } from '../api/contract.ts';
import type { CpuFlowView } from '../api/contract.ts';
import { measuredCost, TYPICAL_COST } from '../capacity/routing-cost.ts';
import type { RoutingCost } from '../capacity/routing-cost.ts';
import type { Client } from './client.ts';
import { Failure } from './failure.ts';

export interface KnownCost {
  readonly cost: RoutingCost;
  readonly measured: boolean;
  /** Where the figures are from, in words that go on after "the cost of a packet is ". */
  readonly origin: string;
  readonly flows: readonly CpuFlowView[];
}

/** Milliseconds. The figures are at hand, or the daemon is too busy to be asked. */
const PATIENCE = 2000;

/** The meter's figures; without a daemon or a meter, the typical ones, and why. Never fails. */
export async function fetchCost(client: Client): Promise<KnownCost> {
  try {
    const report = (await client.get('/v1/cpu', PATIENCE)).as(cpuView);
    const cost = measuredCost(report.flows, report.baseline?.smallNanos ?? null);
    const { mode, flows } = report;
    if (mode === 'off') return { ...typical('the meter is off'), flows };
    if (cost === null) return { ...typical('the meter has not seen a packet yet'), flows };
    const origin = mode === 'model' ? 'a model, since the meter could not measure' : `measured (${mode})`;
    return { cost, measured: mode !== 'model', origin, flows };
  } catch (error) {
    return typical(error instanceof Failure ? whyNot(error) : 'the daemon could not be asked');
  }
}

function whyNot({ exit, problem }: Failure): string {
  if (exit === 3) return 'no daemon was reached to measure it';
  return problem.status === 404 ? 'this daemon has no meter' : 'the meter could not be asked';
}

const typical = (why: string): KnownCost => ({
  cost: TYPICAL_COST,
  measured: false,
  origin: `typical, not measured: ${why}`,
  flows: [],
});
