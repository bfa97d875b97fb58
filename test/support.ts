import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseService } from '../src/config/index.ts';
import { DEFAULT_MARK_MASK } from '../src/model/mark.ts';
import type { Service } from '../src/model/service.ts';
import type { DirectorState, ServiceState } from '../src/model/state.ts';
import { parseFrame } from '../src/render/frame.ts';
import type { Frames } from '../src/render/render.ts';

const rules = (name: string): string => fileURLToPath(new URL(`../rules/${name}`, import.meta.url));

export function frames(): Frames {
  const read = (name: string): Frames[4] => parseFrame(readFileSync(rules(name), 'utf8'), name);
  return { 4: read('ipv4.rules'), 6: read('ipv6.rules') };
}

/** The contract's example service, with changes. */
export function mail(changes: Record<string, unknown> = {}, name = 'mail'): Service {
  const definition = {
    addresses: ['192.0.2.25', '2001:db8::25'],
    ports: ['25/tcp', '993/tcp', '514/udp', '8000-8009/tcp', { port: '80/tcp', to: 8080 }],
    bridge: { name: 'br-mail', gateway: ['10.50.0.1/24', 'fd00:50::1/64'] },
    domus: [
      { name: 'mail-a', addresses: ['10.50.0.2', 'fd00:50::2'], vifs: ['vif1.0'] },
      { name: 'mail-b', addresses: ['10.50.0.3', 'fd00:50::3'], vifs: ['vif2.0'] },
    ],
    testers: ['198.51.100.7', '203.0.113.0/24'],
    admins: ['10.9.0.0/24'],
    ...changes,
  };
  const parsed = parseService(name, definition);
  if ('faults' in parsed)
    throw new Error(parsed.faults.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return parsed.service;
}

/** The n-th of many small services; each has its own addresses, bridge and DomUs. */
export function numbered(n: number, changes: Record<string, unknown> = {}): Service {
  const [high, low] = [n >> 8, n & 255];
  const text = n.toString(16);
  return mail(
    {
      addresses: [`192.0.${high}.${low}`, `2001:db8::1:${text}`],
      ports: ['25/tcp', '514/udp'],
      bridge: { name: `br-${n}`, gateway: [`10.${high}.${low}.1/24`, `fd00:${text}::1/64`] },
      domus: [
        { name: `d${n}-a`, addresses: [`10.${high}.${low}.2`, `fd00:${text}::2`], vifs: [`vif${n}.0`] },
        { name: `d${n}-b`, addresses: [`10.${high}.${low}.3`, `fd00:${text}::3`], vifs: [`vif${n}.1`] },
      ],
      testers: [],
      admins: [],
      ...changes,
    },
    `s${n}`,
  );
}

export function stateFor(service: Service, changes: Partial<ServiceState> = {}): ServiceState {
  return {
    service,
    id: 1,
    slots: { a: service.domus[0], b: service.domus[1] },
    primary: 'a',
    testing: 'open',
    testers: service.testers.map((source) => ({ source, kind: 'permanent', expiresAt: null, note: null })),
    trial: null,
    heldUntil: null,
    pinned: false,
    ...changes,
  };
}

export function director(...services: ServiceState[]): DirectorState {
  return {
    uplink: 'eth0',
    markMask: DEFAULT_MARK_MASK,
    services: services.map((state, index) => ({ ...state, id: index + 1 })),
  };
}
