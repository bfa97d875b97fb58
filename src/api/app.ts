import http from 'node:http';
import type { Server } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import swagger from '@fastify/swagger';
import Fastify from 'fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import { messageOf } from '../lib/errors.ts';
import { KnownPaths } from './allow.ts';
import { authenticate } from './authenticate.ts';
import type { Api, App } from './context.ts';
import { serviceDefinition } from './contract.ts';
import { openApiOptions } from './openapi.ts';
import { PROBLEM_TYPE, problemOf } from './problem.ts';
import { addRoutes } from './routes/index.ts';

const BODY_LIMIT = 1024 * 1024;
/** Milliseconds, against clients that send or read too slowly. Answers may take longer: only requests are timed. */
const TIMES = { headersTimeout: 15_000, requestTimeout: 30_000, keepAliveTimeout: 30_000 };
/** A TLS server's certificate and key, in PEM. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** All routes on a server of its own, which does not listen yet. */
export async function buildApp(api: Api, tls: TlsFiles | null): Promise<App> {
  const app: App = Fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    requestIdHeader: false,
    routerOptions: { maxParamLength: 200 },
    serverFactory: (handler) => newServer(handler, tls),
    clientErrorHandler,
    frameworkErrors: (error, request, reply) => void sendProblem(api, error, request, reply),
  }).withTypeProvider<ZodTypeProvider>();
  // The director checks a definition by the file's own code, and tells every fault of it at once.
  app.setValidatorCompiler<z.ZodType>((route) =>
    route.schema === serviceDefinition ? (value: unknown) => ({ value }) : validatorCompiler(route),
  );
  // Views are checked by the compiler; an answer must not fail after its work is done.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler((error, request, reply) => sendProblem(api, error, request, reply));
  readJson(app);
  addHooks(app, api);
  await app.register(swagger, openApiOptions(api.version));
  addRoutes(app, api);
  await app.ready();
  return app;
}

function newServer(handler: http.RequestListener, tls: TlsFiles | null): Server {
  // Without a Host header Node would answer 400 with nothing in it; authenticate() says why.
  const options = { ...TIMES, requireHostHeader: false };
  if (tls === null) return http.createServer(options, handler);
  // Everything of an http.Server that is used here is in an https.Server, too.
  return https.createServer({ ...options, ...tls, handshakeTimeout: 10_000 }, handler);
}

/** JSON and nothing else; no body at all is fine, whatever its type is said to be. */
function readJson(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.trim() === '') done(null, undefined);
    else void parse(request, body, done);
  });
}

function addHooks(app: App, api: Api): void {
  const paths = new KnownPaths();
  paths.collect(app);
  app.decorateRequest('by', '');
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    if (request.is404) throw paths.refusal(request);
    request.by = authenticate(request, api.access);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { method, url, by } = request;
    const what = { method, url, by, status: reply.statusCode, ms: Math.round(reply.elapsedTime) };
    if (by === '' || method === 'GET' || method === 'HEAD') api.log.debug(what, 'request');
    else api.log.info(what, 'request');
    done();
  });
}

function sendProblem(api: Api, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, problem, headers, internal } = problemOf(error, request.id);
  if (internal) {
    const stack = error instanceof Error ? error.stack : undefined;
    api.log.error(
      { request: request.id, url: request.url, error: messageOf(error), stack },
      'a request failed',
    );
  }
  return reply
    .code(status)
    .headers(headers)
    .type(PROBLEM_TYPE)
    .send(Buffer.from(JSON.stringify(problem)));
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [number, string, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'the URL and headers are longer than 16 KiB'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'the request did not arrive in time'],
};

/** What is not HTTP never becomes a request: the answer is written to the connection itself. */
function clientErrorHandler(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, title, detail] = CLIENT_ERRORS[error.code ?? ''] ?? [
    400,
    'Bad Request',
    'this is not HTTP/1.1',
  ];
  const body = JSON.stringify({ type: 'about:blank', title, status, detail, errors: [] });
  const head = `HTTP/1.1 ${status} ${title}\r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${body.length}`;
  socket.end(`${head}\r\nconnection: close\r\n\r\n${body}`);
}
