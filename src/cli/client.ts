import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Answer, refusalOf } from './answer.ts';
import { failed } from './failure.ts';
import type { Failure } from './failure.ts';
import { Broken, unreached } from './unreached.ts';

export type Target =
  { readonly kind: 'socket'; readonly path: string } | { readonly kind: 'url'; readonly url: URL };

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** A switch of thousands of services takes seconds; a host that does much else may take a minute. */
const ANSWER_WITHIN = 60_000;

/** Speaks to one daemon. Every failure is a Failure with its exit code; an answer of 400 and up is one too. */
export class Client {
  readonly target: Target;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(target: Target, options: { version: string; user: string | null; token: string | undefined }) {
    this.target = target;
    this.#headers = {
      accept: 'application/json, application/problem+json',
      'user-agent': `director/${options.version}`,
      ...(target.kind === 'socket' && options.user !== null ? { 'x-director-user': options.user } : {}),
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
    };
  }

  get(path: string, within = ANSWER_WITHIN): Promise<Answer> {
    return this.#call('GET', path, undefined, within);
  }

  put(path: string, body: unknown): Promise<Answer> {
    return this.#call('PUT', path, body);
  }

  post(path: string, body: unknown): Promise<Answer> {
    return this.#call('POST', path, body);
  }

  delete(path: string): Promise<Answer> {
    return this.#call('DELETE', path, undefined);
  }

  /** A GET whose answer does not end, such as server-sent events. Silence of `silence` milliseconds breaks it. */
  async stream(path: string, headers: Record<string, string>, silence: number, signal: AbortSignal) {
    try {
      const response = await this.#send('GET', path, headers, undefined, signal);
      response.setTimeout(silence, () => response.destroy(new Broken(new Error('it went silent'))));
      if (response.statusCode === 200) return response;
      throw refusalOf(await readAnswer(response, 'GET', path, this.target), this.target);
    } catch (error) {
      throw this.#explain(error, 'GET', path);
    }
  }

  /**
   * A connection that broke before the answer came is tried once more: with the same Idempotency-Key the daemon
   * answers as it did the first time (a DELETE has none, and would find nothing left).
   */
  async #call(method: Method, path: string, body: unknown, within = ANSWER_WITHIN): Promise<Answer> {
    const headers: Record<string, string> = method === 'POST' ? { 'idempotency-key': randomUUID() } : {};
    const once = () => this.#answer(method, path, headers, body, within);
    const answer = await once()
      .catch((error: unknown) => {
        if (error instanceof Broken && error.retry && method !== 'DELETE') return once();
        throw error;
      })
      .catch((error: unknown) => {
        throw this.#explain(error, method, path);
      });
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw refusalOf(answer, this.target);
  }

  async #answer(
    method: Method,
    path: string,
    headers: Record<string, string>,
    body: unknown,
    within: number,
  ): Promise<Answer> {
    const deadline = AbortSignal.timeout(within);
    try {
      const response = await this.#send(method, path, headers, body, deadline);
      return await readAnswer(response, method, path, this.target);
    } catch (error) {
      if (deadline.aborted && error instanceof Broken)
        throw new Broken(new Error(`no answer within ${within / 1000} s`), false);
      throw error;
    }
  }

  /** Resolves with the response's head. Rejects with Broken once a connection stood, with a Failure before. */
  #send(
    method: Method,
    path: string,
    headers: Record<string, string>,
    body: unknown,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      let connected = false;
      const request = this.#open(path, {
        method,
        signal,
        agent: false,
        headers: {
          ...this.#headers,
          ...headers,
          ...(text === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        },
      });
      request.on('socket', (socket) => socket.once('connect', () => (connected = true)));
      request.on('response', resolve);
      request.on('error', (error) => reject(connected ? new Broken(error) : unreached(this.target, error)));
      request.end(text);
    });
  }

  #open(path: string, options: RequestOptions): ClientRequest {
    if (this.target.kind === 'socket') {
      return httpRequest({ ...options, socketPath: this.target.path, path });
    }
    const base = this.target.url;
    const url = new URL(base.pathname.replace(/\/$/, '') + path, base);
    return (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options);
  }

  #explain(error: unknown, method: Method, path: string): unknown {
    return error instanceof Broken ? brokenOff(error, method, path) : error;
  }
}

async function readAnswer(
  response: IncomingMessage,
  method: Method,
  path: string,
  target: Target,
): Promise<Answer> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return new Answer(response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8'), method, path, target);
  } catch (error) {
    throw new Broken(error);
  }
}

function brokenOff(error: Broken, method: Method, path: string): Failure {
  const what = `The connection ended before ${method} ${path} was answered: ${error.message}.`;
  if (method === 'GET')
    return failed(what, { hint: 'systemctl status dom0-director tells whether it runs.' });
  return failed(`${what} Whether it was done is not known.`, {
    hint: 'Look with "director status" and "director journal" before you try again.',
  });
}
