import { z } from 'zod';
import { LONGEST_TIMEOUT } from '../lib/duration.ts';
import { DOMU_NAME, INTERFACE_NAME, MAC_ADDRESS, SERVICE_NAME } from '../model/service.ts';
import type { Domu, Outlet, Port } from '../model/service.ts';
import { duration, durationOrNever, flag, list, mapping, named, oneOf, parsed } from './fields.ts';
import { parseGateway, parseSource, parseUsableAddress } from './parse-address.ts';
import { notAPort, parsePort, PORT_MAX, shiftPort } from './parse-port.ts';
import { stageSection } from './stage-schema.ts';
import { show, wrongKind } from './words.ts';

const DAY = 86_400_000;

export const SERVICE_NAME_RULE = '1 to 16 of a-z, 0-9 and -, beginning with a letter';
export const serviceName = z
  .string()
  .regex(SERVICE_NAME)
  .meta({ description: `Name of the service: ${SERVICE_NAME_RULE}` });

/** The kernel keeps the settings of all interfaces under these names (net/ipv4/devinet.c, sysctl_dev_name_is_allowed). */
const NO_INTERFACE = ['all', 'default'];

export const interfaceName = (what: string, description: string) =>
  named(
    INTERFACE_NAME,
    what,
    '1 to 15 letters, digits, dots, underscores and hyphens, beginning with a letter or digit',
    { description },
  ).refine((name) => !NO_INTERFACE.includes(name), {
    error: ({ input }) => `${show(input)} is a name that the kernel gives to no interface; write another one`,
  });

const address = parsed('an IP address', parseUsableAddress, {
  description: 'An IPv4 or IPv6 address',
  examples: ['192.0.2.25', '2001:db8::25'],
});

const addresses = (what: string) =>
  list(address, `a list of ${what}, such as [192.0.2.25, "2001:db8::25"]`).min(1, {
    error: `is empty; write at least one of ${what}`,
  });

const sources = (description: string) =>
  list(
    parsed('an address or a network', parseSource, {
      description: 'An address, or a network with its host bits zero',
      examples: ['198.51.100.7', '203.0.113.0/24'],
    }),
    'a list of addresses and networks, such as [198.51.100.7, 203.0.113.0/24]; [] for none',
  )
    .prefault([])
    .meta({ description });

const portText = parsed(
  'a port',
  parsePort,
  {
    description: 'A port or a range, with its protocol',
    examples: ['25/tcp', '8000-8009/tcp', '514/udp'],
    pattern: '^[1-9]\\d{0,4}(-[1-9]\\d{0,4})?/(tcp|udp)$',
  },
  notAPort,
);

const wrongTarget = (issue: { readonly input?: unknown }): string =>
  typeof issue.input === 'number'
    ? `${issue.input} is no port; write 1 to ${PORT_MAX}`
    : wrongKind(issue.input, `the DomU's port, a number from 1 to ${PORT_MAX}`);

const shiftedPort = mapping(
  {
    port: portText,
    to: z
      .int({ error: wrongTarget })
      .min(1, { error: wrongTarget })
      .max(PORT_MAX, { error: wrongTarget })
      .meta({ description: "The DomU's port; for a range, that of its first port" }),
  },
  'a port',
).transform(({ port, to }, context) => {
  const shifted = shiftPort(port, to);
  if (typeof shifted !== 'string') return shifted;
  context.issues.push({ code: 'custom', message: shifted, input: to, path: ['to'] });
  return z.NEVER;
});

const ports = list(
  z.union([portText, shiftedPort]),
  'a list of ports, such as [25/tcp, 8000-8009/tcp, {port: 80/tcp, to: 8080}]',
)
  .min(1, { error: 'is empty; write at least one port, such as 25/tcp' })
  .meta({ description: 'Ports that are directed; every other port of the addresses is left alone' });

const bridge = mapping(
  {
    name: interfaceName("a bridge's name", 'The bridge; it is made where it does not exist'),
    gateway: list(
      parsed('an address with its prefix length', parseGateway, {
        description: "The bridge's own address, with the length of its network's prefix",
        examples: ['10.50.0.1/24', 'fd00:50::1/64'],
      }),
      'a list of addresses with prefix lengths, such as [10.50.0.1/24, "fd00:50::1/64"]',
    ).min(1, { error: 'is empty; write at least one address with its prefix length, such as 10.50.0.1/24' }),
  },
  'the bridge of the DomUs',
).meta({ description: "The service's own bridge" });

const DOMU_NAME_RULE =
  '1 to 63 letters, digits, dots, underscores and hyphens, beginning with a letter or digit';

const macs = list(
  parsed(
    'a MAC address',
    (text) => {
      const mac = text.toLowerCase();
      if (MAC_ADDRESS.test(mac)) return { mac };
      return `${show(text)} is not a guest's MAC address; write it as 00:16:3e:12:34:56`;
    },
    {
      description: "A MAC address of the guest's",
      examples: ['00:16:3e:12:34:56'],
      pattern: '^[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$',
    },
  ).transform(({ mac }) => mac),
  'a list of MAC addresses, such as ["00:16:3e:12:34:56"]',
);

const domu = mapping(
  {
    name: named(DOMU_NAME, "a DomU's name", DOMU_NAME_RULE, { description: 'Name of the guest' }),
    addresses: addresses("the DomU's addresses on the bridge").meta({
      description: 'The first of each family is where connections are directed to; all of them are kept dark',
    }),
    vifs: list(
      interfaceName("an interface's name", 'An interface of the guest in the host, such as vif1.0'),
      'a list of interfaces, such as [vif1.0]; [] for none',
    )
      .prefault([])
      .meta({ description: 'Interfaces of the guest that are put on the bridge' }),
    domain: named(DOMU_NAME, "a domain's name", DOMU_NAME_RULE, {
      description: "Xen's name of the guest, where it is another one than the DomU's",
    }).optional(),
    macs: macs.optional().meta({
      description:
        'MAC addresses of its vifs for this bridge, as the guest\'s own configuration has them; without any, those that "director vif" prints',
    }),
  },
  'a DomU',
).transform(({ domain, macs, ...known }): Domu => ({
  ...known,
  ...(domain === undefined ? {} : { domain }),
  ...(macs === undefined || macs.length === 0 ? {} : { macs }),
}));

const wrongCount = ({ input }: { readonly input?: unknown }): string =>
  `has ${Array.isArray(input) ? input.length : show(input)}; a service owns exactly two DomUs`;

const domus = list(domu, 'a list of exactly two DomUs')
  .min(2, { error: wrongCount })
  .max(2, { error: wrongCount })
  .transform(([first, second]) => [first, second] as [Domu, Domu])
  .meta({ description: 'Exactly two; the first is primary when the service is new' });

const cutover = mapping(
  {
    connections: oneOf(['drain', 'cut'], {
      description:
        'Open TCP connections stay where they are until they end (drain), or are ended at once (cut)',
    }).prefault('drain'),
    drainFor: durationOrNever(
      { least: 1, most: 365 * DAY, because: 'for longer write never' },
      { description: 'How long connections may drain before they are cut' },
    ).prefault('never'),
    confirmWithin: durationOrNever(
      { least: 1000, most: LONGEST_TIMEOUT, because: 'the kernel keeps it, and no longer; or write never' },
      { description: 'A switch that is not confirmed for so long rolls itself back' },
    ).prefault('10m'),
  },
  'what a switch does by default',
)
  .prefault({})
  .meta({ description: 'What a switch does where the call says nothing' });

const seconds = { least: 1000, most: DAY, because: 'it is how often a DomU is probed' };
const health = mapping(
  {
    check: oneOf(['tcp', 'off'], {
      description:
        'tcp: connect to every TCP port of both DomUs (of a healthy one to one each time, in turn); off: not at all',
    }).prefault('tcp'),
    every: duration(seconds, { description: 'How often' }).prefault('5s'),
    timeout: duration(
      { least: 1, most: DAY, because: 'it is how long one probe may take' },
      { description: 'How long one probe may take; at most as long as every' },
    ).prefault('1s'),
  },
  'how the DomUs are probed',
)
  .prefault({})
  .meta({ description: 'How the director finds out whether a DomU answers' });

const outlet = z
  .union([
    parsed('an address or a network', parseSource, {
      description: 'An address, or a network with its host bits zero',
      examples: ['10.0.0.53', '10.9.0.0/24'],
    }).transform((to) => ({ to, ports: [] as Port[] })),
    mapping(
      {
        to: parsed('an address or a network', parseSource, {
          description: 'An address, or a network with its host bits zero',
        }),
        ports: list(portText, 'a list of ports, such as [53/udp, 53/tcp]').min(1, {
          error: 'is empty; write at least one port, or the network alone for all of them',
        }),
      },
      'where a DomU may connect to',
    ),
  ])
  .meta({ description: 'A network, or one with the ports that may be reached there' });

const quarantine = z
  .union([
    z.boolean().transform((on): Outlet[] | null => (on ? [] : null)),
    list(
      outlet,
      'true, false, or a list of what is allowed, such as [10.0.0.53, {to: 10.9.0.0/24, ports: [22/tcp]}]',
    ),
  ])
  .prefault(false)
  .meta({
    description:
      'While a DomU is dark it opens no connections outwards (true), or only those of a list: a cloned mail server delivers nothing twice',
  });

/** A service's definition, as it stands in the file or in the body of a request; its output is the model's. */
export const serviceSchema = mapping(
  {
    addresses: addresses("the service's addresses").meta({
      description: 'The addresses that clients connect to',
    }),
    announce: flag({
      description: 'Put the addresses on the uplink; false: they are routed to this host already',
    }).prefault(true),
    ports,
    bridge,
    domus,
    testers: sources('Who is always directed to the secondary while testing is open'),
    admins: sources('Who may always reach both DomUs directly'),
    cutover,
    health,
    quarantine,
    stage: stageSection,
  },
  'the definition of a service',
).meta({ description: 'A service: what clients reach, and the two DomUs that it can be directed to' });
