import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../../../src/cli/run.ts';
import type { CliIo, LocalCommands, Output } from '../../../src/cli/io.ts';
import type { DomuView, JournalEntry, ServiceView, SwitchView } from '../../../src/api/contract.ts';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

type Respond = (seen: Seen, response: ServerResponse, request: IncomingMessage) => void;

/** Answers what it is told to, on a unix socket of its own, and remembers what it was asked. */
export class FakeDaemon {
  readonly seen: Seen[] = [];
  readonly socket: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'director-cli-'));
  readonly #answers = new Map<string, Respond>();
  #server: Server;

  constructor() {
    this.socket = join(this.#directory, 'director.sock');
    this.#server = this.#create();
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(this.socket, resolve));
    return this;
  }

  on(call: string, answer: Respond): this {
    this.#answers.set(call, answer);
    return this;
  }

  answer(call: string, status: number, body?: unknown): this {
    return this.on(call, (_seen, response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
    });
  }

  calls(): string[] {
    return this.seen.map(({ method, path }) => `${method} ${path}`);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async restart(): Promise<void> {
    await this.stop();
    this.#server = this.#create();
    await this.start();
  }

  async destroy(): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true });
  }

  #create(): Server {
    return createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const path = request.url ?? '';
        const seen = {
          method: request.method ?? '',
          path,
          headers: request.headers,
          body: text === '' ? undefined : (JSON.parse(text) as unknown),
        };
        this.seen.push(seen);
        const respond = this.#answers.get(`${seen.method} ${path}`) ?? this.#answers.get(seen.method);
        if (respond === undefined) refuse(response, 404, { detail: `No such call: ${seen.method} ${path}` });
        else respond(seen, response, request);
      });
    });
  }
}

function refuse(response: ServerResponse, status: number, problem: object): void {
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ type: 'about:blank', title: 'Not found', status, errors: [], ...problem }));
}

/** 2026-11-23 03:13:32 UTC. */
export const NOW = Date.UTC(2026, 10, 23, 3, 13, 32);

export class Screen implements Output {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(columns?: number) {
    this.isTTY = columns !== undefined;
    this.columns = columns;
  }

  write(text: string): void {
    this.text += text;
    for (const look of this.#waiting) look();
  }

  /** Resolves once the text contains this. */
  async shows(part: string): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!this.text.includes(part)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

export const noLocal: LocalCommands = {
  version: '1.2.3',
  serve: () => Promise.reject(new Error('not here')),
  vif: () => Promise.reject(new Error('not here')),
  check: () => Promise.reject(new Error('not here')),
  lab: () => Promise.reject(new Error('not here')),
  doctor: () => Promise.reject(new Error('not here')),
};

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface RunOptions {
  readonly socket?: string;
  readonly columns?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly local?: Partial<LocalCommands>;
  readonly io?: Partial<CliIo>;
}

/** Runs one command line as a user would, without colour unless asked for. */
export async function cli(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const stdout = new Screen(options.columns);
  const stderr = new Screen(options.columns);
  const socket = options.socket === undefined ? {} : { DIRECTOR_SOCKET: options.socket };
  const env = { NO_COLOR: '1', LANG: 'C.UTF-8', ...socket, ...options.env };
  const io: CliIo = { stdout, stderr, env, now: () => NOW, ...options.io };
  const code = await runCli(argv, io, { ...noLocal, ...options.local });
  return { code, out: stdout.text, err: stderr.text };
}

export function domu(name: string, more: Partial<DomuView> = {}): DomuView {
  return {
    domu: name,
    addresses: [],
    health: 'healthy',
    healthReason: null,
    flows: 0,
    domain: null,
    ...more,
  };
}

export const trial: SwitchView = {
  id: 'sw-7',
  services: ['mail'],
  to: 'secondary',
  state: 'trial',
  committedAt: '2026-11-23T03:12:44.000Z',
  confirmBy: '2026-11-23T03:22:44.000Z',
  endedAt: null,
  connections: 'drain',
  drainUntil: null,
  kernel: { flipMicros: 38, familySkewMicros: 0 },
  flows: { kept: 120, cut: 0, udpFlushed: 3 },
  by: 'alice (socket)',
  reason: 'upgrade to 2.0',
  error: null,
};

export function service(name: string, more: Partial<ServiceView> = {}): ServiceView {
  return {
    name,
    phase: 'settled',
    testing: 'open',
    held: false,
    heldUntil: null,
    live: 'primary',
    primary: domu(`${name}-a`, { addresses: ['10.50.0.2', 'fd00:50::2'], flows: 120 }),
    secondary: domu(`${name}-b`, { addresses: ['10.50.0.3', 'fd00:50::3'], flows: 4 }),
    addresses: ['192.0.2.25', '2001:db8::25'],
    ports: ['25/tcp', '993/tcp', '514/udp'],
    bridge: `br-${name}`,
    testers: [
      { source: '198.51.100.7', kind: 'permanent', expiresAt: null, note: null },
      { source: '203.0.113.0/24', kind: 'leased', expiresAt: '2026-11-23T10:25:32.000Z', note: 'QA' },
    ],
    switch: null,
    draining: null,
    source: 'file',
    generation: 12,
    ...more,
  };
}

/** Mail on trial with a secondary that lost a port, LDAP settled with a dead one, db held, and one that is not checked. */
export const picture: ServiceView[] = [
  service('mail', {
    phase: 'trial',
    live: 'secondary',
    switch: trial,
    secondary: domu('mail-b', {
      addresses: ['10.50.0.3', 'fd00:50::3'],
      flows: 1402,
      health: 'degraded',
      healthReason: '10.50.0.3:993: connection refused',
    }),
  }),
  service('ldap', {
    testing: 'closed',
    testers: [],
    secondary: domu('ldap-b', { health: 'unhealthy', healthReason: '10.60.0.3:389: no answer within 1s' }),
  }),
  service('db', { held: true, heldUntil: '2026-11-23T03:13:37.000Z', testers: [] }),
  service('web', { primary: domu('web-a', { health: 'unknown' }), testing: 'closed' }),
];

export const entries: JournalEntry[] = [
  {
    id: 42,
    at: '2026-11-23T03:12:44.000Z',
    kind: 'switch',
    services: ['mail'],
    by: 'alice (socket)',
    text: 'mail is on mail-b (secondary), on trial until 03:22:44',
    why: 'upgrade to 2.0',
    details: {},
  },
  {
    id: 41,
    at: '2026-11-22T22:01:05.000Z',
    kind: 'tester-add',
    services: ['mail'],
    by: 'ci',
    text: '203.0.113.0/24 is a tester of mail for 8h',
    why: null,
    details: {},
  },
];

export const problem = {
  type: 'about:blank',
  title: 'Conflict',
  status: 409,
  detail: 'mail is on trial already, by alice.',
  hint: 'Confirm it or roll it back first.',
  errors: [{ path: '/services/0', message: 'mail is part of switch sw-7' }],
};
