import { z } from 'zod';
import { parseAddress, parseNetwork } from '../model/address.ts';
import type { Network } from '../model/address.ts';
import { DEFAULT_MARK_MASK, hex, isMarkMask } from '../model/mark.ts';
import { DOMU_NAME } from '../model/service.ts';
import {
  absolutePath,
  duration,
  durationOrNever,
  list,
  mapping,
  named,
  notAbsolute,
  oneOf,
  parsed,
  text,
} from './fields.ts';
import { parseSource } from './parse-address.ts';
import { PORT_MAX } from './parse-port.ts';
import { interfaceName, serviceName, serviceSchema } from './service-schema.ts';
import { needsText, show, wrongKind } from './words.ts';

/** `sun_path` has 108 bytes with its final zero (linux/un.h). */
const SOCKET_PATH_MAX = 107;

export const DEFAULT_STATE = '/var/lib/dom0-director';

const socketFault = (path: string): string | null => {
  const size = Buffer.byteLength(path);
  if (size > SOCKET_PATH_MAX) {
    return `is ${size} bytes long; a socket's path has at most ${SOCKET_PATH_MAX}, so write a shorter one`;
  }
  if (path.endsWith('/')) return `${show(path)} is a directory; write the path of the socket in it`;
  return notAbsolute(path);
};

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const HTTP_EXAMPLE = 'write it as 127.0.0.1:8440 or "[::1]:8440"';

function parseHostPort(text: string): HostPort | string {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d+)$/.exec(text);
  if (match === null) return `${show(text)} is not an address and a port; ${HTTP_EXAMPLE}`;
  const host = match[1] ?? match[2] ?? '';
  const address = parseAddress(host);
  const bracketed = match[1] !== undefined;
  if (host !== 'localhost' && (typeof address === 'string' || bracketed !== (address.family === 6))) {
    return `${show(text)}: ${show(host)} is not an IP address or localhost; ${HTTP_EXAMPLE}`;
  }
  const port = Number(match[3]);
  if (port < 1 || port > PORT_MAX || /^0/.test(match[3] ?? '')) {
    return `${show(text)}: ${match[3] ?? ''} is no port; write 1 to ${PORT_MAX}`;
  }
  return { host: typeof address === 'string' ? host : address.text, port };
}

const needsHost = (input: unknown, what: string): string =>
  typeof input === 'number'
    ? `${input} needs the address to listen on; write 127.0.0.1:${input}`
    : needsText(input, what);

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const hostName = named(
  HOST_NAME,
  'a host name',
  'write it in lower case and without a port, such as director.example.org',
  { description: 'A host name, in lower case' },
);

/** On this host, too: that is where most proxies are. */
function parseProxy(text: string): Network | string {
  const network = parseNetwork(text);
  if (typeof network === 'string' || network.prefix > 0) return network;
  return `${show(text)} would trust everybody's word about who they are; write the proxies' own addresses`;
}

const proxies = list(
  parsed('an address or a network', parseProxy, {
    description: 'An address, or a network with its host bits zero',
    examples: ['127.0.0.1', '10.0.0.80'],
  }),
  'a list of addresses and networks of proxies, such as [127.0.0.1]',
)
  .prefault([])
  .meta({ description: 'Proxies whose X-Forwarded-For or Forwarded header is believed' });

const listen = mapping(
  {
    socket: text("the socket's path", socketFault, {
      description: 'The unix socket, always on, mode 0660',
    }).prefault('/run/dom0-director/director.sock'),
    http: parsed(
      'an address and a port, such as 127.0.0.1:8440',
      parseHostPort,
      {
        description: 'Listen on TCP too; beyond loopback only with tls',
        examples: ['127.0.0.1:8440', '[::1]:8440'],
      },
      needsHost,
    ).optional(),
    tls: mapping(
      {
        cert: absolutePath('the path of the certificate', 'Certificate chain, PEM'),
        key: absolutePath("the path of the certificate's key", 'Private key, PEM'),
      },
      'the certificate for http',
    )
      .optional()
      .meta({ description: 'Makes http https' }),
    names: list(hostName, 'a list of host names, such as [director.example.org]')
      .prefault([])
      .meta({ description: 'Names under which the page is reached, beside addresses and localhost' }),
    trustedProxies: proxies,
  },
  'where the director listens',
)
  .prefault({})
  .meta({ description: 'Where the director listens' });

const wrongMask = ({ input }: { readonly input?: unknown }): string => {
  const advice = `write contiguous bits, at least three, such as ${hex(DEFAULT_MARK_MASK)}`;
  if (typeof input === 'string' && /^(0x)?[0-9a-f]+$/i.test(input)) {
    return `${show(input)} is text; write it without quotes, such as ${hex(DEFAULT_MARK_MASK)}`;
  }
  if (typeof input !== 'number') return wrongKind(input, 'the mask of a conntrack mark, such as 0xffff0000');
  const isWord = Number.isInteger(input) && input >= 0 && input <= 0xffff_ffff;
  return `${isWord ? hex(input) : input} is no mask of a conntrack mark; ${advice}`;
};

const mark = mapping(
  {
    mask: z
      .int({ error: wrongMask })
      .min(0, { error: wrongMask, abort: true })
      .max(0xffff_ffff, { error: wrongMask, abort: true })
      .refine(isMarkMask, { error: wrongMask })
      .prefault(DEFAULT_MARK_MASK)
      .meta({ description: "The director's part of the conntrack mark: contiguous bits, at least three" }),
  },
  "the director's part of the conntrack mark",
)
  .prefault({})
  .meta({ description: "The director's part of the conntrack mark" });

const DAY = 86_400_000;

const journal = mapping(
  {
    keep: durationOrNever(
      { least: DAY, most: 36_500 * DAY, because: 'write never to keep all of it' },
      { description: 'How long its entries, and switches that have ended, are kept; never: for ever' },
    ).prefault('400d'),
  },
  'the journal',
)
  .prefault({})
  .meta({ description: 'The journal' });

const cpu = mapping(
  {
    meter: oneOf(['auto', 'windows', 'always', 'sampler', 'model', 'off'], {
      description:
        'windows: time packets at hooks for a moment in each interval; always: all packets, which costs more; sampler: look what the CPUs are at; model: typical figures; auto: the truest that this host allows',
    }).prefault('auto'),
    interval: duration(
      { least: 200, most: 60_000, because: 'rates are of one interval' },
      { description: 'How often' },
    ).prefault('1s'),
  },
  'how it is measured what routing costs',
)
  .prefault({})
  .meta({ description: 'How it is measured what routing costs in CPU' });

/** Names by which the journal tells who asked, where it was nobody with a token. */
const ACTORS = ['socket', 'signal', 'director'];

const SHA256 = /^[0-9a-f]{64}$/;
const HOW_TO_HASH = '64 lower-case hexadecimal digits, as from: printf %s "$TOKEN" | sha256sum';
/** Never shows what it was given: it may be the token itself. */
const sha256 = z
  .string({
    error: ({ input }) =>
      input === undefined || input === null
        ? wrongKind(input, HOW_TO_HASH)
        : `is not text; write it in quotes: ${HOW_TO_HASH}`,
  })
  .regex(SHA256, { error: `is not a SHA-256; write ${HOW_TO_HASH}` })
  .meta({ description: 'SHA-256 of the token, 64 lower-case hexadecimal digits' });

const token = mapping(
  {
    name: named(
      DOMU_NAME,
      "a token's name",
      '1 to 63 letters, digits, dots, underscores and hyphens, beginning with a letter or digit',
      { description: 'Who has this token, as the journal will say' },
    ).refine((name) => !ACTORS.includes(name), {
      error: ({ input }) =>
        `${show(input)} is what the journal calls one of its own actors; write another name`,
    }),
    sha256,
  },
  'a token',
);

const qa = mapping(
  {
    enrol: duration(
      { least: 60_000, most: 7 * DAY, because: 'who tests for longer is enrolled by an operator' },
      { description: 'How long one may enrol oneself for, at the most', examples: ['8h'] },
    ).prefault('8h'),
    from: list(
      parsed('an address or a network', parseSource, {
        description: 'An address, or a network with its host bits zero',
        examples: ['10.20.0.0/16'],
      }),
      'a list of addresses and networks, such as [10.20.0.0/16]',
    )
      .min(1, { error: 'is empty; write the networks that testers come from, or remove qa' })
      .meta({ description: 'Who may enrol: only addresses in these networks' }),
  },
  'who may enrol themselves as testers',
).meta({
  description: 'Lets testers enrol the address that they come from, on the page; without it nobody can',
});

const shape = {
  listen,
  state: absolutePath("the state's directory", 'Directory of the embedded store').prefault(DEFAULT_STATE),
  uplink: interfaceName("an interface's name", 'Where service addresses are announced').optional(),
  iptables: oneOf(['auto', 'nft', 'legacy'], {
    description: 'Which variant of the iptables tools to use; auto: the one that the host uses',
  }).prefault('auto'),
  xen: oneOf(['auto', 'off'], {
    description:
      'Ask Xen how the DomUs are and which interfaces are theirs; auto: where this host is its Dom0; off: never',
  }).prefault('auto'),
  mark,
  journal,
  cpu,
  tokens: list(token, 'a list of tokens: {name, sha256}')
    .prefault([])
    .meta({ description: 'Who may change something over http' }),
  qa: qa.optional(),
};

/** The file without its services, which are read one by one. */
export const hostSchema = mapping({ ...shape, services: z.unknown().optional() }, 'the configuration');

const fileSchema = mapping(
  {
    ...shape,
    services: z
      .record(serviceName, serviceSchema)
      .prefault({})
      .meta({ description: 'The services, by name' }),
  },
  'the configuration',
).meta({ title: 'Configuration of Dom0 Director' });

/** JSON Schema (draft 2020-12) of the file, for editors. What it lets through is still checked when it is read. */
export function configSchema(): object {
  return z.toJSONSchema(fileSchema, { io: 'input' });
}
