import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal, messageOf } from '../lib/errors.ts';
import type { Api } from './context.ts';
import { PROBLEM_TYPE, problemOf } from './problem.ts';

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly location?: string;
}

interface Sent {
  readonly status: number;
  readonly body: string;
}

const KEY = /^[\x21-\x7e]{1,255}$/;

/**
 * Does a POST's work, and with an `Idempotency-Key` only once for that key: whoever repeats it gets the first answer,
 * with `idempotency-replayed: true`. Answers of 500 and above are not kept, for repeating them may help.
 * Runs to its end although the client goes away meanwhile, so that its next try finds the answer.
 */
export async function once(
  api: Api,
  request: FastifyRequest,
  reply: FastifyReply,
  work: () => Promise<Answer>,
): Promise<void> {
  const key = keyOf(request);
  if (key === undefined) {
    sendAnswer(reply, await work());
    return;
  }
  const { sent, location, replayed } = await api.turns.run(key, () =>
    recallOrDo(api, key, fingerprintOf(request), work),
  );
  if (replayed) reply.header('idempotency-replayed', 'true');
  if (location !== undefined) reply.header('location', location);
  sendText(reply, sent);
}

async function recallOrDo(api: Api, key: string, fingerprint: string, work: () => Promise<Answer>) {
  const seen = api.director.recall(key, fingerprint);
  if (seen !== null) return { sent: seen, location: locationOf(seen), replayed: true };
  const sent = await textOf(work);
  try {
    api.director.remember(key, fingerprint, sent);
  } catch (error) {
    // The work is done: failing now would make the client do it again.
    api.log.error({ key, error: messageOf(error) }, 'an answer could not be kept under its Idempotency-Key');
  }
  return { sent, location: locationOf(sent), replayed: false };
}

/** The answer as it goes out; a refusal is one too. What nobody could foresee stays an error. */
async function textOf(work: () => Promise<Answer>): Promise<Sent> {
  try {
    const { status, body } = await work();
    return { status, body: body === undefined ? '' : JSON.stringify(body) };
  } catch (error) {
    const { status, problem } = problemOf(error);
    if (status >= 500) throw error;
    return { status, body: JSON.stringify(problem) };
  }
}

function keyOf(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && KEY.test(key)) return key;
  throw new Refusal('invalid', 'the Idempotency-Key must be 1 to 255 visible ASCII characters', {
    hint: 'a UUID is a good one',
  });
}

/** Tells the same request from another one that came with the same key. */
function fingerprintOf({ method, url, body }: FastifyRequest): string {
  const text = JSON.stringify([method, url, body ?? null]);
  return createHash('sha256').update(text).digest('hex');
}

/** What is created by a POST is a switch: its place follows from the answer that was kept. */
function locationOf({ status, body }: Sent): string | undefined {
  return status === 201 ? switchLocation((JSON.parse(body) as { id: string }).id) : undefined;
}

export const switchLocation = (id: string): string => `/v1/switches/${encodeURIComponent(id)}`;

function sendAnswer(reply: FastifyReply, { status, body, location }: Answer): void {
  if (location !== undefined) reply.header('location', location);
  sendText(reply, { status, body: body === undefined ? '' : JSON.stringify(body) });
}

function sendText(reply: FastifyReply, { status, body }: Sent): void {
  reply.code(status);
  if (body === '') void reply.send();
  else if (status < 400) void reply.type('application/json; charset=utf-8').send(body);
  // As bytes: fastify would add a charset, which this type does not have (RFC 9457, section 6.1).
  else void reply.type(PROBLEM_TYPE).send(Buffer.from(body));
}
