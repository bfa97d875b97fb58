import * as fc from 'fast-check';
import type { Service } from '../../../src/model/service.ts';
import type { DirectorState, ServiceState, Tester } from '../../../src/model/state.ts';
import { parseNetwork } from '../../../src/model/address.ts';
import { DEFAULT_MARK_MASK } from '../../../src/model/mark.ts';
import { mail } from '../../support.ts';

/** When all of it happens; deadlines are whole seconds, as the kernel keeps them. */
export const NOW = Date.UTC(2030, 0, 1);
export const CUSTOMER = { 4: '100.64.0.9', 6: '2001:db8:ffff::9' } as const;
export const UPLINK = 'eth0';
/** The pool's services have these interfaces, whatever their definition says. */
export const VIFS = Array.from({ length: 6 }, (_, n) => [`vif${n}.0`, `vif${n}.1`]).flat();

type Ports = readonly unknown[];
const PORTS: readonly Ports[] = [
  ['1025/tcp'],
  ['1025/tcp', '1514/udp', '1026-1029/tcp'],
  // More than one multiport match takes, and some of them mapped.
  [...Array.from({ length: 16 }, (_, n) => `${1025 + n * 3}/tcp`), { port: '1500-1502/tcp', to: 9000 }],
  ['1025/udp', { port: '1514/udp', to: 514 }],
];

export interface Shape {
  readonly families: 'both' | 'four' | 'six';
  readonly ports: Ports;
  /** Its IPv4 address is also the next service's, which has other ports. */
  readonly shared: boolean;
  readonly moved: boolean;
  readonly announce: boolean;
  readonly quarantine: 'none' | 'all' | 'listed';
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  families: fc.constantFrom('both', 'four', 'six'),
  ports: fc.constantFrom(...PORTS),
  shared: fc.boolean(),
  moved: fc.boolean(),
  announce: fc.boolean(),
  quarantine: fc.constantFrom('none', 'all', 'listed'),
});

/** Where listed DomUs may connect to although they are dark: on one port, and on any. */
export const OUTLETS = { 4: '100.64.1.0/24', 6: '2001:db8:fffe::/48' } as const;
export const OUTLET = { port: 2525, protocol: 'tcp' } as const;
export const OPEN_OUTLETS = { 4: '100.64.2.7', 6: '2001:db8:fffd::7' } as const;

const QUARANTINES: Readonly<Record<Shape['quarantine'], unknown>> = {
  none: false,
  all: true,
  listed: [
    ...Object.values(OUTLETS).map((to) => ({ to, ports: [`${OUTLET.port}/${OUTLET.protocol}`] })),
    ...Object.values(OPEN_OUTLETS),
  ],
};

/** The n-th service of the pool. Definitions of the same n are of the same service at different times. */
function define(n: number, shape: Shape): Service {
  const { families, ports, shared, moved, announce, quarantine } = shape;
  const own = (four: string, six: string): string[] => [
    ...(families === 'six' ? [] : [four]),
    ...(families === 'four' ? [] : [six]),
  ];
  const spread = shared && families === 'four';
  const host = moved ? 12 : 2;
  return mail(
    {
      addresses: own(spread ? '192.0.2.200' : `192.0.2.${n + 1}`, `2001:db8::${n + 1}`),
      announce,
      ports: spread ? [`${20 + n}/tcp`, `${120 + n}/udp`] : ports,
      bridge: { name: `br-${n}`, gateway: own(`10.${n}.0.1/24`, `fd00:${n}::1/64`) },
      domus: ['a', 'b'].map((slot, i) => ({
        name: `d${n}-${slot}`,
        addresses: own(`10.${n}.0.${host + i}`, `fd00:${n}::${host + i}`),
        vifs: [`vif${n}.${i}`],
      })),
      testers: [],
      admins: [],
      quarantine: QUARANTINES[quarantine],
    },
    `s${n}`,
  );
}

const source = (text: string): Tester['source'] => {
  const parsed = parseNetwork(text);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
};

const SOURCES = ['198.51.100.7', '203.0.113.0/24', '2001:db8:7::/48', '2001:db8:8::1'].map(source);

const deadlines = fc.constantFrom(60, 600, 86_400).map((seconds) => NOW + seconds * 1000);

const testers: fc.Arbitrary<Tester[]> = fc.uniqueArray(
  fc
    .record({ source: fc.constantFrom(...SOURCES), expiresAt: fc.option(deadlines) })
    .map(({ source: from, expiresAt }): Tester => ({
      source: from,
      kind: expiresAt === null ? 'permanent' : 'leased',
      expiresAt,
      note: null,
    })),
  { selector: ({ source: { address } }) => address, maxLength: 3 },
);

/** Everything of a service's state but its definition. */
const phases: fc.Arbitrary<Omit<ServiceState, 'service' | 'id' | 'slots'>> = fc
  .record({
    primary: fc.constantFrom('a' as const, 'b' as const),
    testing: fc.constantFrom('open' as const, 'closed' as const),
    testers,
    trial: fc.option(fc.record({ switchId: fc.constant('sw-1'), confirmBy: fc.option(deadlines) })),
    heldUntil: fc.option(deadlines),
    pinned: fc.boolean(),
  })
  .map((phase) => ({ ...phase, pinned: phase.pinned && phase.trial !== null }));

export function stateOf(
  n: number,
  shape: Shape,
  phase: Omit<ServiceState, 'service' | 'id' | 'slots'>,
): ServiceState {
  const service = define(n, shape);
  return { ...phase, service, id: n + 1, slots: { a: service.domus[0], b: service.domus[1] } };
}

export const director = (services: readonly ServiceState[]): DirectorState => ({
  uplink: UPLINK,
  markMask: DEFAULT_MARK_MASK,
  services,
});

/** Up to six services. */
export const states: fc.Arbitrary<DirectorState> = fc
  .uniqueArray(fc.tuple(fc.nat({ max: 5 }), shapes, phases), { selector: ([n]) => n, maxLength: 6 })
  .map((services) => director(services.map(([n, shape, phase]) => stateOf(n, shape, phase))));

/** Two states in which most services are the same but for their phase: what an operator's next step looks like. */
export const pairs: fc.Arbitrary<readonly [DirectorState, DirectorState]> = fc.oneof(
  fc.tuple(states, states),
  fc
    .uniqueArray(fc.tuple(fc.nat({ max: 5 }), shapes, phases, phases), { selector: ([n]) => n, maxLength: 6 })
    .map(
      (services) =>
        [
          director(services.map(([n, shape, phase]) => stateOf(n, shape, phase))),
          director(services.map(([n, shape, , phase]) => stateOf(n, shape, phase))),
        ] as const,
    ),
);

export const settledServices = fc
  .uniqueArray(fc.tuple(fc.nat({ max: 5 }), shapes, phases), {
    selector: ([n]) => n,
    minLength: 1,
    maxLength: 4,
  })
  .map((services) =>
    services.map(([n, shape, phase]) => stateOf(n, shape, { ...phase, trial: null, pinned: false })),
  );
