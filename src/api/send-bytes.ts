import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { Turn } from '../lib/turn.ts';

/** Bytes that are read ahead of who receives them. */
const AHEAD = 256 * 1024;
/** Characters of a list that are sent together. */
const PART = 16 * 1024;

/** One after another, as they are: never copied into one. The compiler, which knows views, is not asked. */
export function sendParts(reply: FastifyReply, type: string, parts: readonly Buffer[]): FastifyReply {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const body = Readable.from(parts, { objectMode: false, highWaterMark: AHEAD });
  return reply.type(type).header('content-length', length).send(body);
}

/** A JSON array of what `view` makes of each, for lists that may be long: others have their turns meanwhile. */
export async function sendList<Item>(
  reply: FastifyReply,
  items: readonly Item[],
  view: (item: Item) => object,
): Promise<FastifyReply> {
  const turn = new Turn();
  const parts: Buffer[] = [];
  let text = '[';
  for (const [at, item] of items.entries()) {
    text += (at === 0 ? '' : ',') + JSON.stringify(view(item));
    if (text.length >= PART) {
      parts.push(Buffer.from(text));
      text = '';
    }
    if (turn.isOver) await turn.pass();
  }
  return sendParts(reply, 'application/json; charset=utf-8', [...parts, Buffer.from(`${text}]`)]);
}
