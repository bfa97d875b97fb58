import { refusal, withEntry } from './state.ts';
import type { FakeState } from './state.ts';

const OF_LINK = /^net\/(?:ipv4|ipv6)\/(?:conf|neigh)\/([^/]+)\/[a-z0-9_]+$/;
/** What an interface's own settings begin with where it is not 0 (Documentation/networking/ip-sysctl.rst). */
const BEGINS_WITH: Readonly<Record<string, string>> = {
  accept_ra: '1',
  autoconf: '1',
  accept_redirects: '1',
};

/** Null where there is no such setting. An interface's are there as long as it is. */
export function sysctlOf(state: FakeState, key: string): string | null {
  const set = state.sysctls.get(key);
  const link = OF_LINK.exec(key)?.[1];
  if (link === undefined) return set ?? null;
  if (link !== 'all' && link !== 'default' && !state.links.has(link)) return null;
  return set ?? BEGINS_WITH[key.slice(key.lastIndexOf('/') + 1)] ?? '0';
}

export function sysctlWrite(state: FakeState, key: string, value: string): FakeState {
  const before = sysctlOf(state, key);
  if (before === null) throw refusal('ENOENT', `there is no sysctl ${key}`);
  return before === value ? state : { ...state, sysctls: withEntry(state.sysctls, key, value) };
}
