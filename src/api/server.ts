import type { Server } from 'node:http';
import type { HostLoad } from '../capacity/host-load.ts';
import { DirectorError, messageOf } from '../lib/errors.ts';
import { Releaser } from '../lib/releaser.ts';
import type { Meter } from '../meter/report.ts';
import type { Director } from '../switchover/director.ts';
import { buildApp } from './app.ts';
import type { TlsFiles } from './app.ts';
import type { Network } from '../model/address.ts';
import type { Api, App, Logger, TokenHash } from './context.ts';
import { EventStreams } from './event-streams.ts';
import { FlowHistory } from './flow-history.ts';
import { hostCheck, listenOnSocket, listenOnTcp, readTls } from './listen.ts';
import { readPage } from './page-files.ts';
import { SelfEnrolment } from './self-enrolment.ts';
import type { SelfEnrolmentRules } from './self-enrolment.ts';
import { Turns } from './turns.ts';

export type { Logger, TokenHash } from './context.ts';

/** How long requests that are under way at close() may take to end. Milliseconds. */
const GRACE = 2000;
const MOST_TCP_CONNECTIONS = 4096;

export interface ServerOptions {
  readonly director: Director;
  readonly listen: {
    readonly socket: string;
    readonly http: { readonly host: string; readonly port: number } | null;
    /** Files, in PEM. */
    readonly tls: { readonly cert: string; readonly key: string } | null;
    /** Host names beside addresses and localhost. */
    readonly names?: readonly string[];
    readonly trustedProxies?: readonly Network[];
  };
  /** The directory of the built page; without it, or where it is not built, none is served. */
  readonly page?: string;
  /** Asked at each call; null: nobody may enrol themselves. */
  readonly qa?: () => SelfEnrolmentRules | null;
  /** Asked at each call: a reload may change them. */
  readonly tokens: () => readonly TokenHash[];
  readonly metrics: Api['metrics'];
  /** What the host does over so many milliseconds from now. */
  readonly load: (ms: number) => Promise<HostLoad>;
  readonly meter: () => Meter | null;
  readonly log: Logger;
  readonly version: string;
}

export interface RunningServer {
  /** Where TCP is listened on (the real port where 0 was asked for); null where it is not. */
  readonly address: { readonly host: string; readonly port: number } | null;
  /** Ends event streams at once, other requests within two seconds; removes the socket. */
  close(): Promise<void>;
}

/** Serves the API on the unix socket and, where configured, over TCP. All of it or, with an error, nothing. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const releaser = new Releaser();
  const streams = new EventStreams(options.director);
  const history = new FlowHistory(options.director, () => streams.readers > 0);
  const shared: Shared = {
    ...options,
    streams,
    history,
    turns: new Turns(),
    selfEnrolment: new SelfEnrolment(options.qa ?? (() => null)),
    trustedProxies: options.listen.trustedProxies ?? [],
    page: options.page === undefined ? null : await readPage(options.page),
  };
  releaser.add(() => history.close());
  try {
    await startSocket(shared, options.listen.socket, releaser);
    const address = await startTcp(shared, options, releaser);
    // Last in, first out: requests cannot end while their event streams go on.
    releaser.add(() => streams.close());
    return { address, close: () => releaser.release() };
  } catch (error) {
    streams.close();
    await releaser.release();
    throw error;
  }
}

type Shared = Omit<Api, 'access'>;

async function startSocket(shared: Shared, path: string, releaser: Releaser): Promise<void> {
  const app = await buildApp({ ...shared, access: { via: 'socket' } }, null);
  releaser.add(() => stop(app));
  await listenOnSocket(app.server, path);
}

async function startTcp(
  shared: Shared,
  { listen, tokens }: ServerOptions,
  releaser: Releaser,
): Promise<RunningServer['address']> {
  if (listen.http === null) return null;
  const tls = listen.tls === null ? null : await readTls(listen.tls);
  const app = await buildTcpApp(shared, listen.http.host, listen.names ?? [], tokens, tls);
  releaser.add(() => stop(app));
  app.server.maxConnections = MOST_TCP_CONNECTIONS;
  return listenOnTcp(app.server, listen.http, tls !== null);
}

async function buildTcpApp(
  shared: Shared,
  host: string,
  names: readonly string[],
  tokens: () => readonly TokenHash[],
  tls: TlsFiles | null,
): Promise<App> {
  try {
    const access = { via: 'tcp', tokens, knowsHost: hostCheck(host, tls, names) } as const;
    return await buildApp({ ...shared, access }, tls);
  } catch (error) {
    if (tls === null) throw error;
    throw new DirectorError(`the certificate or key of listen.tls cannot be used: ${messageOf(error)}`, {
      cause: error,
      hint: 'both are PEM files, and belong together',
    });
  }
}

async function stop(app: App): Promise<void> {
  await stopServer(app.server);
  await app.close();
}

function stopServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // A connection that is kept alive becomes idle only when its last answer is out.
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    const late = setTimeout(() => server.closeAllConnections(), GRACE);
    server.close(() => {
      clearInterval(idle);
      clearTimeout(late);
      resolve();
    });
  });
}
