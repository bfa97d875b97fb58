import type { FastifyRequest } from 'fastify';
import { Refusal } from '../lib/errors.ts';
import type { Director } from '../switchover/director.ts';

const TAG = String.raw`(?:W/)?"[\x21\x23-\x7e]*"`;
const TAGS = new RegExp(String.raw`^${TAG}(?:\s*,\s*${TAG})*$`);

export const etag = (generation: number): string => `"${generation}"`;

/**
 * The generation that a change must meet (RFC 9110, section 13.1.1), or undefined where the client does not mind.
 * `*` and a list are compared with the generation of now, and the change must then meet precisely that one.
 */
export async function ifMatch(
  director: Director,
  name: string,
  request: FastifyRequest,
): Promise<number | undefined> {
  const header = request.headers['if-match']?.trim();
  if (header === undefined) return undefined;
  if (header !== '*' && !TAGS.test(header)) {
    throw new Refusal('invalid', `If-Match: ${header} is neither * nor a quoted entity tag such as "12"`);
  }
  const generation = await generationOf(director, name);
  if (generation === null) throw new Refusal('stale', `If-Match: there is no service "${name}" (any more)`);
  // A weak tag (W/"12") never matches: it promises less than If-Match asks for.
  const tags = header.split(',').map((tag) => tag.trim());
  if (header !== '*' && !tags.includes(etag(generation))) {
    throw new Refusal(
      'stale',
      `"${name}" is at generation ${generation}, not at ${header}: somebody changed it`,
      {
        hint: 'read the service again, and decide anew',
      },
    );
  }
  return generation;
}

async function generationOf(director: Director, name: string): Promise<number | null> {
  try {
    return (await director.service(name)).generation;
  } catch (error) {
    if (error instanceof Refusal && error.kind === 'unknown') return null;
    throw error;
  }
}
