import { request } from 'node:http';
import { DirectorError } from '../lib/errors.ts';

export interface ApiAnswer {
  readonly status: number;
  /** What the JSON said; null where there was none. */
  readonly body: unknown;
}

const TIMEOUT = 10_000;

/** One call to the daemon behind a unix socket; `timeout` is in milliseconds. Any status is an answer; rejects where nobody answered. */
export function callApi(
  socket: string,
  method: string,
  path: string,
  body?: unknown,
  timeout = TIMEOUT,
): Promise<ApiAnswer> {
  const json = body === undefined ? '' : JSON.stringify(body);
  const headers =
    body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) };
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: socket, method, path, headers, timeout, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: parsed(text) }));
    });
    call.on('timeout', () =>
      call.destroy(new DirectorError(`${method} ${path} was not answered within ${timeout} ms`)),
    );
    call.on('error', reject);
    call.end(json);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
