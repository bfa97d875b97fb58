import type { Flow, MarkFilter } from '../kernel.ts';

const matches = ({ mark }: Flow, { value, mask }: MarkFilter): boolean => (mark & mask) >>> 0 === value >>> 0;

/** The host's conntrack table, as far as it is directed flows. */
export class FakeFlows {
  #flows: readonly Flow[] = [];

  get all(): readonly Flow[] {
    return this.#flows;
  }

  add(flow: Flow): void {
    this.#flows = [...this.#flows, flow];
  }

  count(mask: number, only: MarkFilter = { value: 0, mask: 0 }): Map<number, number> {
    const counts = new Map<number, number>();
    for (const { mark, closing } of this.select(only)) {
      const value = (mark & mask) >>> 0;
      if (value !== 0 && !closing) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    return counts;
  }

  select(filter: MarkFilter): Flow[] {
    return this.#flows.filter((flow) => matches(flow, filter));
  }

  /** Answers how many there were that were not over. */
  delete(filter: MarkFilter): number {
    const ended = this.select(filter).filter(({ closing }) => !closing);
    this.#flows = this.#flows.filter((flow) => !matches(flow, filter));
    return ended.length;
  }

  /** By its id: another flow with the same addresses and ports is not this one. */
  deleteOne({ id, family }: Flow): boolean {
    const before = this.#flows.length;
    this.#flows = this.#flows.filter((flow) => flow.id !== id || flow.family !== family);
    return this.#flows.length < before;
  }
}
