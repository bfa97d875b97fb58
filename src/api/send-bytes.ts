import type { FastifyReply } from 'fastify';
import { inTurns } from '../lib/turn.ts';

/** As they are; the compiler, which knows views, is not asked. */
export const sendBytes = (reply: FastifyReply, type: string, bytes: Buffer): FastifyReply =>
  reply.type(type).send(bytes);

/** A JSON array of what `view` makes of each, for lists that may be long: others have their turns meanwhile. */
export async function sendList<Item>(
  reply: FastifyReply,
  items: readonly Item[],
  view: (item: Item) => object,
): Promise<FastifyReply> {
  let before = '[';
  const parts = await inTurns(items, (item) => {
    const part = Buffer.from(before + JSON.stringify(view(item)));
    before = ',';
    return part;
  });
  const end = Buffer.from(items.length === 0 ? '[]' : ']');
  return sendBytes(reply, 'application/json; charset=utf-8', Buffer.concat([...parts, end]));
}
