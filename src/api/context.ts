import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { HostLoad } from '../capacity/host-load.ts';
import type { Meter } from '../meter/report.ts';
import type { Network } from '../model/address.ts';
import type { Director } from '../switchover/director.ts';
import type { EventStreams } from './event-streams.ts';
import type { FlowHistory } from './flow-history.ts';
import type { PageFiles } from './page-files.ts';
import type { SelfEnrolment } from './self-enrolment.ts';
import type { Turns } from './turns.ts';

/** What of pino the API uses. */
export interface Logger {
  debug(what: object, message: string): void;
  info(what: object, message: string): void;
  warn(what: object, message: string): void;
  error(what: object, message: string): void;
}

/** A token's hash: SHA-256 of the token in 64 lower-case hexadecimal digits. */
export interface TokenHash {
  readonly name: string;
  readonly sha256: string;
}

/** Who reaches us how, and what that lets them do. */
export type Access =
  | { readonly via: 'socket' }
  | {
      readonly via: 'tcp';
      readonly tokens: () => readonly TokenHash[];
      /** Whether a Host header's name (lower case, no port) is one of ours. */
      readonly knowsHost: (host: string) => boolean;
    };

/** What every route may use. */
export interface Api {
  readonly director: Director;
  readonly metrics: () => Promise<{ contentType: string; parts: readonly Buffer[] }>;
  /** What the host does over so many milliseconds from now. */
  readonly load: (ms: number) => Promise<HostLoad>;
  /** Null until the director is ready. */
  readonly meter: () => Meter | null;
  readonly log: Logger;
  readonly version: string;
  readonly access: Access;
  readonly turns: Turns;
  readonly streams: EventStreams;
  readonly history: FlowHistory;
  readonly selfEnrolment: SelfEnrolment;
  /** Whose word about who is behind them is believed. */
  readonly trustedProxies: readonly Network[];
  /** Null: it was not built. */
  readonly page: PageFiles | null;
}

export type App = FastifyInstance<
  Server,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks: a token's name, `socket`, or `NAME (socket)`. Empty where nobody needed to say. */
    by: string;
  }
  interface FastifyContextConfig {
    /** Only who may open the socket may call this. */
    socketOnly?: boolean;
    /** Over TCP it needs a token although it changes nothing. */
    confidential?: boolean;
    /** Changes nothing but what concerns the caller's own address: no token is needed. */
    selfService?: boolean;
  }
}
