import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { errorCode } from './ask.ts';
import type { LabProtocol } from './topology.ts';

export interface HoldOptions {
  readonly host: string;
  readonly port: number;
  readonly protocol: LabProtocol;
  /** Milliseconds between two lines. */
  readonly every: number;
}

/** One answer on the connection that is held; `error` on the last line, when it has ended (`END`: in order). */
export interface HoldAnswer {
  readonly n: number;
  readonly text: string;
  readonly error: string | null;
}

type Tell = (answer: HoldAnswer) => void;

/** Keeps one TCP connection, or one UDP source port, and says something every so often; tells each answer. */
export function hold(options: HoldOptions, tell: Tell): void {
  if (options.protocol === 'tcp') holdTcp(options, tell);
  else holdUdp(options, tell);
}

function holdTcp({ host, port, every }: HoldOptions, tell: Tell): void {
  let n = 0;
  let failed: string | null = null;
  const socket = connect({ host, port, noDelay: true });
  const timer = setInterval(() => socket.writable && socket.write(`line\n`), every);
  socket.setEncoding('utf8').on('data', (text: string) => tell({ n: ++n, text: text.trim(), error: null }));
  socket.on('error', (error) => (failed = errorCode(error)));
  socket.on('close', () => {
    clearInterval(timer);
    tell({ n: ++n, text: '', error: failed ?? 'END' });
  });
}

/** Errors are told and outlived: a datagram's sender goes on. */
function holdUdp({ host, port, every }: HoldOptions, tell: Tell): void {
  let n = 0;
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  socket.on('message', (payload) => tell({ n: ++n, text: payload.toString(), error: null }));
  socket.on('error', (error) => tell({ n: ++n, text: '', error: errorCode(error) }));
  const send = (): void => socket.send('line', port, host, () => undefined);
  socket.bind(() => {
    send();
    setInterval(send, every);
  });
}
