import type { JSX } from 'preact';
import { useCosts } from '../state/costs.ts';
import type { Cost, Costs } from '../state/costs.ts';
import { number, percent, sentence } from '../state/words.ts';

/** What directing this service costs the host's CPU, and how that is known; nothing where no meter has seen a packet. */
export function CostCard({ name }: { name: string }): JSX.Element | null {
  const costs = useCosts(name);
  if (costs === null) return null;
  return (
    <section class="card costs" aria-labelledby="costs-title">
      <h2 id="costs-title">What directing it costs</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">DomU</th>
            <th scope="col">Packets a second</th>
            <th scope="col">CPU</th>
            <th scope="col">Overhead</th>
            <th scope="col">ns in</th>
            <th scope="col">ns out</th>
          </tr>
        </thead>
        <tbody>
          {costs.domus.map((cost) => (
            <Row key={cost.domu} cost={cost} />
          ))}
        </tbody>
      </table>
      <p class="sub">
        {HOW[costs.mode]} {costs.why === '' ? '' : `${sentence(costs.why)} `}CPU is of one core; the overhead
        is the part of it that a plain bridge would not have taken; ns is what one packet takes, towards the
        DomU and from it.
      </p>
    </section>
  );
}

function Row({ cost: { domu, packetsPerSecond, cpu, overhead, nanos } }: { cost: Cost }): JSX.Element {
  return (
    <tr>
      <th scope="row">{domu}</th>
      <td>{number(Math.round(packetsPerSecond))}</td>
      <td>{percent(cpu)}</td>
      <td>{percent(overhead)}</td>
      <td>{took(nanos.in)}</td>
      <td>{took(nanos.out)}</td>
    </tr>
  );
}

const took = (nanos: number | null): string => (nanos === null ? '–' : number(Math.round(nanos)));

const HOW: Readonly<Record<Costs['mode'], string>> = {
  windows: 'Measured by timing packets for a moment in each interval.',
  always: 'Measured by timing every packet.',
  sampler: 'Sampled: what the CPUs are at, shared out by packets.',
  model: 'Not measured: typical figures for the packets that were counted.',
};

/** Milliseconds. */
const ALL_EVERY = 10_000;

/** The same of all services, in one figure. Its place is kept where it has a line of its own. */
export function CostSum(): JSX.Element {
  const costs = useCosts(undefined, ALL_EVERY);
  if (costs === null) return <p class="summary cost-sum" />;
  const sum = (of: 'cpu' | 'overhead'): number => costs.domus.reduce((total, cost) => total + cost[of], 0);
  const overhead = `${percent(sum('overhead'))} more than a plain bridge`;
  return (
    <p class="summary cost-sum" title={`${overhead}. ${HOW[costs.mode]}`}>
      Directing takes <strong>{percent(sum('cpu'))}</strong> of a core<span>, {overhead}</span>
    </p>
  );
}
