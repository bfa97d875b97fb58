import { FAMILIES, formatNetwork } from '../../model/address.ts';
import { TABLES } from '../../model/kernel-state.ts';
import { hex } from '../../model/mark.ts';
import type { Flow } from '../kernel.ts';
import { livingElements } from './elements.ts';
import type { FakeSet, FakeState } from './state.ts';

/** Everything that the fake holds, as text, one thing a line; sorted, so that equal states have equal text. */
export function dumpState(state: FakeState, flows: readonly Flow[], now: number): string {
  const lines = [
    ...dumpLinks(state),
    ...dumpAddresses(state),
    ...[...state.sysctls].map(([key, value]) => `sysctl ${key} = ${value}`).sort(),
    ...[...state.sets].sort(byKey).flatMap(([name, set]) => dumpSet(name, set, now)),
    ...dumpTables(state),
    ...flows.map(dumpFlow).sort(),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);
const whose = (ours: boolean): string => (ours ? ' ours' : '');

function dumpLinks({ links }: FakeState): string[] {
  return [...links.values()]
    .map(({ name, kind, up, master, ours }) => {
      const bridge = kind === 'bridge' ? ' bridge' : '';
      const on = master === null ? '' : ` on ${master}`;
      return `link ${name}${bridge} ${up ? 'up' : 'down'}${on}${whose(ours)}`;
    })
    .sort();
}

function dumpAddresses({ addresses }: FakeState): string[] {
  return addresses
    .map(({ link, address, ours }) => `address ${link} ${formatNetwork(address)}${whose(ours)}`)
    .sort();
}

function dumpSet(name: string, set: FakeSet, now: number): string[] {
  const family = set.type === 'list:set' ? '' : set.family === 4 ? ' inet' : ' inet6';
  const options = `${set.timeouts ? ' timeout' : ''}${set.counters ? ' counters' : ''}`;
  const elements = livingElements(set, now).map(({ key, expiresAt }) =>
    expiresAt === null ? `  ${key}` : `  ${key} until ${expiresAt}`,
  );
  return [
    `set ${name} ${set.type}${family}${options}`,
    ...set.members.map((member) => `  ${member}`),
    ...elements,
  ];
}

/** Chains without rules are shown where they are ours or somebody's; the built-in ones only with rules in them. */
function dumpTables({ tables }: FakeState): string[] {
  return FAMILIES.flatMap((family) =>
    TABLES.flatMap((table) =>
      [...tables[family][table]]
        .filter(([chain, rules]) => rules.length > 0 || !/^[A-Z]+$/.test(chain))
        .sort(byKey)
        .flatMap(([chain, rules]) => [
          `chain ${family === 4 ? 'ip' : 'ip6'} ${table} ${chain}`,
          ...rules.map((rule) => `  ${rule}`),
        ]),
    ),
  );
}

function dumpFlow(flow: Flow): string {
  const { protocol, from, fromPort, to, toPort, answeredBy, answeredPort, mark, id, closing } = flow;
  const end = (address: string, port: number): string =>
    address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const way = `${end(from.text, fromPort)} to ${end(to.text, toPort)} answered by ${end(answeredBy.text, answeredPort)}`;
  return `flow ${protocol ?? 'other'} ${way} mark ${hex(mark)} id ${id}${closing ? ' closing' : ''}`;
}
