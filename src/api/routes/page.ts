import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Api, App } from '../context.ts';
import { HttpError } from '../http-error.ts';
import type { Encoding, PageFile } from '../page-files.ts';

/** Paths that the page itself tells apart. */
const VIEWS = ['/', '/services/:name', '/journal', '/test'];

/** Nothing from outside, nothing inline, no frames; scripts cannot make code out of text. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'x-frame-options': 'DENY',
};

/** The page, from memory. Not part of the API, so it is not in its description. */
export function pageRoutes(app: App, { page }: Api): void {
  if (page === null) return;
  const index = page.get('/index.html');
  const serve = (path: string, fileOf: (request: FastifyRequest) => PageFile | undefined): void => {
    app.get(path, { schema: { hide: true } }, async (request, reply) => {
      const file = fileOf(request);
      if (file === undefined) throw new HttpError(404, 'there is nothing at this path');
      return send(request, reply, file);
    });
  };
  for (const path of VIEWS) serve(path, () => index);
  for (const path of page.keys()) if (path !== '/index.html') serve(path, () => page.get(path));
}

async function send(request: FastifyRequest, reply: FastifyReply, file: PageFile): Promise<FastifyReply> {
  const { etag, type, immutable } = file;
  const caching = immutable ? 'public, max-age=31536000, immutable' : 'no-cache';
  reply.headers({ ...HEADERS, etag, 'cache-control': caching, vary: 'accept-encoding' });
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  const encoding = encodingFor(request.headers['accept-encoding']);
  if (encoding !== 'identity') reply.header('content-encoding', encoding);
  return reply.type(type).send(await file.bytes(encoding));
}

function encodingFor(accepted: string | string[] | undefined): Encoding {
  const names = [accepted ?? []].flat().join(',').split(',');
  const takes = (name: string): boolean =>
    names.some((each) => each.trim().split(';')[0] === name && !/;\s*q=0(\.0*)?\s*$/.test(each));
  return takes('br') ? 'br' : takes('gzip') ? 'gzip' : 'identity';
}
