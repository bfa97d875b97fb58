import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { LabProtocol } from './topology.ts';

export interface Question {
  readonly host: string;
  readonly port: number;
  readonly protocol: LabProtocol;
  /** Milliseconds until the error is `TIMEOUT`. */
  readonly timeout: number;
}

/** Who answered, and as whom it saw the asker; or `error`: an errno's name, `TIMEOUT`, or `EMPTY` (closed unsaid). */
export interface Answer {
  readonly domu: string | null;
  readonly version: string | null;
  readonly seenSource: string | null;
  readonly error: string | null;
  readonly ms: number;
}

export type Said = Pick<Answer, 'domu' | 'version' | 'seenSource'>;

/** `<name> <version> you are <address>`, or the first two alone. */
export function parseGreeting(text: string): Said | null {
  const match = /^(\S+) (\S+)(?: you are (\S+))?/.exec(text);
  return match === null
    ? null
    : { domu: match[1] ?? null, version: match[2] ?? null, seenSource: match[3] ?? null };
}

export const errorCode = (error: unknown): string =>
  (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : String(error));

/** Asks once who is there. Never rejects. */
export function ask(question: Question): Promise<Answer> {
  const began = performance.now();
  return new Promise((resolve) => {
    let close: () => void = () => undefined;
    const settle = (said: Said | null, error: string | null): void => {
      clearTimeout(timer);
      const ms = Math.round((performance.now() - began) * 1000) / 1000;
      resolve({ ...(said ?? { domu: null, version: null, seenSource: null }), error, ms });
      close();
    };
    const timer = setTimeout(() => settle(null, 'TIMEOUT'), question.timeout);
    close = (question.protocol === 'tcp' ? askTcp : askUdp)(question, (text) => {
      if (text instanceof Error) settle(null, errorCode(text));
      else settle(parseGreeting(text), parseGreeting(text) === null ? 'EMPTY' : null);
    });
  });
}

type Told = (text: string | Error) => void;

function askTcp({ host, port }: Question, told: Told): () => void {
  const socket = connect({ host, port });
  socket.setEncoding('utf8');
  socket.once('data', (text: string) => {
    socket.end('quit\n');
    told(text);
  });
  socket.on('error', told);
  socket.once('end', () => told(''));
  return () => {
    // Answered ones end in order; the others would go on trying.
    if (socket.writableEnded) socket.resume();
    else socket.destroy();
  };
}

function askUdp({ host, port }: Question, told: Told): () => void {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  let open = true;
  socket.once('message', (payload) => told(payload.toString()));
  socket.on('error', told);
  // A connected socket is told of ICMP errors (udp(7)).
  socket.connect(port, host, (error?: Error) => {
    if (error !== undefined) told(error);
    else if (open) socket.send('hello', () => undefined);
  });
  return () => {
    open = false;
    socket.close();
  };
}
