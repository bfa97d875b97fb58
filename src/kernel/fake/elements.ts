import { parseAddress, parseNetwork, formatSource } from '../../model/address.ts';
import type { Family } from '../../model/address.ts';
import type { SetElement, SetType } from '../../model/kernel-state.ts';
import { INTERFACE_NAME } from '../../model/service.ts';
import { LONGEST_TIMEOUT } from '../../lib/duration.ts';
import { refusal } from './state.ts';
import type { FakeElement, FakeSet } from './state.ts';

const isAddress = (text: string, family: Family): boolean => {
  const parsed = parseAddress(text);
  return typeof parsed !== 'string' && parsed.family === family && parsed.text === text;
};

const isNetwork = (text: string, family: Family): boolean => {
  const parsed = parseNetwork(text);
  return typeof parsed !== 'string' && parsed.family === family && formatSource(parsed) === text;
};

const isPort = (text: string): boolean => {
  const match = /^(?:tcp|udp):([1-9]\d{0,4})$/.exec(text);
  return match !== null && Number(match[1]) <= 65535;
};

/** Whether `key` is ipset's own spelling of an element of this type and family (ipset(8), SET TYPES). */
function isSpelt(key: string, type: SetType, family: Family): boolean {
  const [first = '', second = '', ...rest] = key.split(',');
  const single = !key.includes(',');
  const double = !single && rest.length === 0;
  const shapes = {
    'hash:ip': () => single && isAddress(key, family),
    // The kernel refuses a prefix of 0 here (ip_set_hash_net.c: IPSET_ERR_INVALID_CIDR), but not with an interface.
    'hash:net': () => single && !key.endsWith('/0') && isNetwork(key, family),
    'hash:ip,port': () => double && isAddress(first, family) && isPort(second),
    'hash:net,iface': () => double && isNetwork(first, family) && INTERFACE_NAME.test(second),
  } satisfies Record<SetType, () => boolean>;
  return shapes[type]();
}

/** The kernel keeps whole seconds: at least one, rounded up, so that nothing ends before its time. */
function keptUntil(expiresAt: number | null, now: number): number | null {
  if (expiresAt === null) return null;
  const seconds = Math.max(1, Math.ceil((expiresAt - now) / 1000));
  return now + Math.min(seconds * 1000, LONGEST_TIMEOUT);
}

function checkElement(name: string, set: FakeSet, { key, expiresAt }: SetElement): void {
  if (set.type === 'list:set' || !isSpelt(key, set.type, set.family)) {
    throw refusal('EINVAL', `"${key}" is no element of the set ${name} (${set.type}, IPv${set.family})`);
  }
  if (expiresAt !== null && !set.timeouts) {
    throw refusal('EINVAL', `the set ${name} has no timeouts, so "${key}" cannot expire`);
  }
}

/** Adds or renews; whoever was there starts again from zero (ip_set_hash_gen.h initialises the counter anew). */
export function addElements(
  name: string,
  set: FakeSet,
  elements: readonly SetElement[],
  now: number,
): FakeSet {
  const next = new Map(set.elements);
  let changed = false;
  for (const element of elements) {
    checkElement(name, set, element);
    const before = next.get(element.key);
    const expiresAt = keptUntil(element.expiresAt, now);
    const same = before?.expiresAt === expiresAt && before.packets === 0;
    changed ||= !same;
    if (!same) next.set(element.key, { expiresAt, packets: 0, bytes: 0 });
  }
  return changed ? { ...set, elements: next } : set;
}

export function removeElements(name: string, set: FakeSet, elements: readonly SetElement[]): FakeSet {
  const next = new Map(set.elements);
  for (const element of elements) {
    checkElement(name, set, { ...element, expiresAt: null });
    next.delete(element.key);
  }
  return next.size === set.elements.size ? set : { ...set, elements: next };
}

export const isAlive = ({ expiresAt }: FakeElement, now: number): boolean =>
  expiresAt === null || expiresAt > now;

/** The elements that have not expired, sorted by key. */
export function livingElements(set: FakeSet, now: number): SetElement[] {
  return [...set.elements]
    .filter(([, element]) => isAlive(element, now))
    .map(([key, { expiresAt }]) => ({ key, expiresAt }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}
