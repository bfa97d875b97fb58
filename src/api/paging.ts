import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';

export const limit = z.coerce
  .number()
  .int()
  .min(1)
  .max(1000)
  .default(50)
  .meta({ description: 'At most so many', example: 50 });

/** Where the next page is (RFC 8288), when this one is full and there may be one. `last` is the oldest one's id. */
export function linkNext(
  request: FastifyRequest,
  reply: FastifyReply,
  page: { limit: number; count: number; last: string | number | undefined },
): void {
  if (page.count < page.limit || page.last === undefined) return;
  const url = new URL(request.url, 'http://localhost');
  url.searchParams.set('limit', String(page.limit));
  url.searchParams.set('before', String(page.last));
  reply.header('link', `<${url.pathname}${url.search}>; rel="next"`);
}
