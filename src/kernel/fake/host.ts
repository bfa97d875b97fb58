import type { Clock } from '../../lib/clock.ts';
import type { Family, InterfaceAddress } from '../../model/address.ts';
import type { Jump, SetType, TableName } from '../../model/kernel-state.ts';
import type { Flow, Traffic } from '../kernel.ts';
import { dumpState } from './dump.ts';
import { FakeFlows } from './flows.ts';
import { createLink, dropAddress, dropLink, foreignAddress, setMaster } from './links.ts';
import { flushTable, replaceTable, withTable } from './rules.ts';
import { replaceSet, setDestroy, setFlush, setSwap, setOf } from './sets.ts';
import { freshHost, refusal } from './state.ts';
import type { FakeSet, FakeState, FakeTable } from './state.ts';

/**
 * The host around the director: what others do to it, each method named for that. None of it counts as a write,
 * and what the kernel would refuse them is refused here too (a set that rules use cannot be destroyed).
 */
export class FakeHost {
  protected readonly clock: Clock;
  protected readonly connections = new FakeFlows();
  #state: FakeState;
  #generation = 1;

  constructor(clock: Clock, sysctls: Readonly<Record<string, string>> = {}) {
    this.clock = clock;
    this.#state = freshHost(sysctls);
  }

  protected get state(): FakeState {
    return this.#state;
  }

  /** Every change of a rule, whoever makes it, changes the generation. */
  protected set state(next: FakeState) {
    if (next.tables !== this.#state.tables) this.#generation++;
    this.#state = next;
  }

  /** Each table that is restored is a commit of its own, whether or not it changes anything. */
  protected countCommits(before: number, tables: number): void {
    this.#generation = before + tables;
  }

  protected get rulesGeneration(): number {
    return this.#generation;
  }

  addLink(name: string, more: { readonly mac?: string } = {}): void {
    this.state = createLink(this.#state, name, { kind: 'other', ours: false, up: true, ...more });
  }

  /** With its addresses; what was on it, if it was a bridge, is on none then. */
  removeLink(name: string): void {
    this.state = dropLink(this.#state, name);
  }

  addForeignBridge(name: string): void {
    this.state = createLink(this.#state, name, { kind: 'bridge', ours: false, up: true });
  }

  /** Somebody puts a link on a bridge, or takes it off (null). */
  moveLink(name: string, bridge: string | null): void {
    this.state = setMaster(this.#state, name, bridge);
  }

  addForeignAddress(link: string, address: InterfaceAddress): void {
    this.state = foreignAddress(this.#state, link, address);
  }

  /** Whoever put it there. */
  removeAddress(link: string, address: InterfaceAddress): void {
    this.state = dropAddress(this.#state, link, address);
  }

  /** `iptables -A` or `-I`; the chain is made where it is not there. */
  addForeignRule(
    family: Family,
    table: TableName,
    chain: string,
    rule: string,
    at: Jump['at'] = 'last',
  ): void {
    this.#changeTable(family, table, (content) => {
      const rules = content.get(chain) ?? [];
      return new Map(content).set(chain, at === 'first' ? [rule, ...rules] : [...rules, rule]);
    });
  }

  /** A jump into a chain of ours that we did not put there. */
  addForeignJump(family: Family, table: TableName, { chain, target, at }: Jump): void {
    this.addForeignRule(family, table, chain, `-j ${target}`, at);
  }

  /** `iptables -D` of the first such rule. */
  removeRule(family: Family, table: TableName, chain: string, rule: string): void {
    this.#changeTable(family, table, (content) => {
      const rules = [...(content.get(chain) ?? [])];
      const index = rules.indexOf(rule);
      if (index === -1) throw refusal('ENOENT', `${chain} of ${table} does not hold "${rule}"`);
      return new Map(content).set(chain, rules.toSpliced(index, 1));
    });
  }

  /** `iptables -S`, without `-A CHAIN `. */
  rulesOf(family: Family, table: TableName, chain: string): readonly string[] {
    return this.#state.tables[family][table].get(chain) ?? [];
  }

  /** `iptables -F`, of one chain or of all: the chains stay, empty. */
  flushTable(family: Family, table: TableName, chain?: string): void {
    this.#changeTable(family, table, (content) => flushTable(content, chain));
  }

  /** A firewall's reload: its own rules, and no chain that it does not know. */
  reloadTable(
    family: Family,
    table: TableName,
    rules: Readonly<Record<string, readonly string[]>> = {},
  ): void {
    this.#changeTable(family, table, () => replaceTable(table, rules));
  }

  #changeTable(family: Family, table: TableName, change: (content: FakeTable) => FakeTable): void {
    this.state = withTable(this.#state, family, table, change(this.#state.tables[family][table]));
  }

  /** `ipset create` by somebody else, so that rules can refer to it. */
  addForeignSet(name: string, type: SetType, family: Family): void {
    const set = { type, family, timeouts: false, counters: false, elements: new Map(), members: [] };
    this.state = replaceSet(this.#state, name, set);
  }

  /** As if another version had made it so, with the same elements: a set's kind cannot be changed. */
  reshapeSet(name: string, kind: Partial<Pick<FakeSet, 'type' | 'timeouts' | 'counters'>>): void {
    this.state = replaceSet(this.#state, name, { ...setOf(this.#state, name), ...kind });
  }

  /** `ipset flush`: of a list, its members. */
  flushSet(name: string): void {
    this.state = setFlush(this.#state, name);
  }

  /** `ipset destroy`: KernelError EBUSY while a rule or a list uses it. */
  destroySet(name: string): void {
    this.state = setDestroy(this.#state, name);
  }

  /** `ipset swap`. */
  swapSets(a: string, b: string): void {
    this.state = setSwap(this.#state, a, b);
  }

  /** Packets that met this element. */
  addTraffic(set: string, key: string, { packets, bytes }: Traffic): void {
    const before = setOf(this.#state, set);
    const element = before.elements.get(key);
    if (element === undefined) throw refusal('ENOENT', `the set ${set} does not hold ${key}`);
    const sum = { ...element, packets: element.packets + packets, bytes: element.bytes + bytes };
    this.state = replaceSet(this.#state, set, {
      ...before,
      elements: new Map(before.elements).set(key, sum),
    });
  }

  /** `sysctl -w` by somebody else. */
  setSysctl(key: string, value: string): void {
    this.state = { ...this.#state, sysctls: new Map(this.#state.sysctls).set(key, value) };
  }

  addFlow(flow: Flow): void {
    this.connections.add(flow);
  }

  /** Everything, as text for golden files: sorted, the same for equal states. */
  dump(): string {
    return dumpState(this.#state, this.connections.all, this.clock.now());
  }
}
