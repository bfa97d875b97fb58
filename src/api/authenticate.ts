import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import type { Access, TokenHash } from './context.ts';
import { HttpError } from './http-error.ts';

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;
const USER_NAME = /^[a-z_][a-z0-9_-]{0,31}$/;

/**
 * Who asks. Whoever may open the socket may do everything; over TCP reading is free, changing needs a token.
 * Throws HttpError 401, 403 or 421 (RFC 9110, sections 15.5.2, 15.5.4 and 15.5.20).
 */
export function authenticate(request: FastifyRequest, access: Access): string {
  refuseForeignPage(request);
  if (access.via === 'socket') {
    if (isFromBrowser(request)) refuseForeignHost(request, () => false);
    return socketUser(request.headers['x-director-user']);
  }
  refuseForeignHost(request, access.knowsHost);
  if (request.routeOptions.config.socketOnly === true) {
    throw new HttpError(403, `${request.method} ${request.url} is done over the unix socket only`, {
      hint: 'run the command on the host itself',
    });
  }
  if (isFree(request)) return '';
  return tokenName(request.headers.authorization, access.tokens());
}

const isFree = ({ method, routeOptions: { config } }: FastifyRequest): boolean =>
  (SAFE_METHODS.has(method) && config.confidential !== true) || config.selfService === true;

/** Headers that a page's script cannot leave out, and that no command line sends by itself. */
const isFromBrowser = ({ headers }: FastifyRequest): boolean =>
  ['origin', 'sec-fetch-site', 'accept-language'].some((name) => headers[name] !== undefined);

/**
 * Whoever browses on a host that relays to the socket, or forwards it by ssh, must not have it called by other pages.
 * Sec-Fetch-Site (W3C Fetch Metadata) cannot be set by scripts; where it is missing, Origin must be ours.
 */
function refuseForeignPage({ method, headers }: FastifyRequest): void {
  if (SAFE_METHODS.has(method)) return;
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  const foreign =
    site === undefined
      ? origin !== undefined && origin.replace(/^https?:\/\//, '') !== host
      : site !== 'same-origin' && site !== 'none';
  if (!foreign) return;
  throw new HttpError(403, 'another page asked for this; nothing was changed', {
    hint: "use the director's own page, or a client that is no browser",
  });
}

/** The name is only for the journal: whoever may open the socket could send any. */
function socketUser(user: unknown): string {
  return typeof user === 'string' && USER_NAME.test(user) ? `${user} (socket)` : 'socket';
}

/**
 * A page in a browser on this host may reach us under a name of its own that resolves to our address (DNS rebinding);
 * its Host header gives it away. No browser sends an address or `localhost` for a foreign page.
 */
function refuseForeignHost(request: FastifyRequest, knowsHost: (host: string) => boolean): void {
  const header = request.headers.host;
  if (header === undefined) {
    if (request.raw.httpVersion === '1.0') return;
    throw new HttpError(400, 'a request needs exactly one Host header (RFC 9112, section 3.2)');
  }
  const host = hostName(header);
  if (host !== null && (isIP(host) !== 0 || host === 'localhost' || knowsHost(host))) return;
  throw new HttpError(421, 'this daemon is not known under the name that was asked for', {
    hint: 'use its address, localhost, or a name that is configured in listen.names',
  });
}

function hostName(header: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase() ?? null;
}

export function tokenName(header: string | undefined, tokens: readonly TokenHash[]): string {
  if (tokens.length === 0) {
    throw unauthorized('changing something over the network needs a token, and none is configured', {
      hint: 'add one under "tokens" in the configuration: its name, and sha256: the output of "printf %s TOKEN | sha256sum"; or use the unix socket',
    });
  }
  if (header === undefined) throw unauthorized('changing something over the network needs a token');
  const token = BEARER.exec(header)?.[1];
  const name = token === undefined ? undefined : nameOf(token, tokens);
  if (name === undefined) throw unauthorized('the token is not one of those that are configured');
  return name;
}

/** Looks at all of them, each in constant time: how long it takes tells nothing. */
function nameOf(token: string, tokens: readonly TokenHash[]): string | undefined {
  const hash = createHash('sha256').update(token).digest();
  let found: string | undefined;
  for (const { name, sha256 } of tokens) {
    const configured = Buffer.from(sha256, 'hex');
    if (configured.length === hash.length && timingSafeEqual(configured, hash)) found = name;
  }
  return found;
}

function unauthorized(
  message: string,
  options: { hint?: string } = { hint: 'send "Authorization: Bearer TOKEN"' },
): HttpError {
  return new HttpError(401, message, {
    ...options,
    headers: { 'www-authenticate': 'Bearer realm="dom0-director"' },
  });
}
