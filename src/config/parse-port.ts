import type { Port, Protocol } from '../model/service.ts';
import { show, wrongKind } from './words.ts';

export const PORT_MAX = 65_535;
/** A shifted range needs a rule for each of its ports. */
export const SHIFTED_RANGE_MAX = 100;

const PORT = /^([^-/:]+)(?:([-:])([^-/:]+))?\/([^/]*)$/;

/** `25/tcp` or `8000-8009/udp`; a sentence where it is neither. */
export function parsePort(text: string): Port | string {
  if (/^\d+(-\d+)?$/.test(text)) return `"${text}" needs its protocol; write ${text}/tcp or ${text}/udp`;
  const [, first, dash, last, protocol] = PORT.exec(text) ?? [];
  if (first === undefined || protocol === undefined) {
    return `${show(text)} is not a port; write it as 25/tcp, 514/udp or 8000-8009/tcp`;
  }
  if (dash === ':') return `${show(text)}: a range is written ${first}-${last ?? ''}/${protocol}`;
  return wrongProtocol(text, protocol) ?? parseRange(text, first, last ?? first, protocol as Protocol);
}

function wrongProtocol(text: string, protocol: string): string | null {
  if (protocol === 'tcp' || protocol === 'udp') return null;
  const lower = protocol.toLowerCase();
  const advice = lower === 'tcp' || lower === 'udp' ? `write ${lower}` : 'it must be tcp or udp';
  return `${show(text)}: ${show(protocol)} is not a protocol that can be directed; ${advice}`;
}

function parseRange(text: string, first: string, last: string, protocol: Protocol): Port | string {
  const wrong = wrongNumber(text, first) ?? wrongNumber(text, last);
  if (wrong !== null) return wrong;
  const [from, to] = [Number(first), Number(last)];
  if (from > to) return `"${text}" is turned round; write ${to}-${from}/${protocol}`;
  return { protocol, from, to, target: null };
}

function wrongNumber(text: string, number: string): string | null {
  if (!/^\d+$/.test(number)) {
    return `${show(text)}: ${show(number)} is not a port number; write 1 to ${PORT_MAX}`;
  }
  if (/^0\d/.test(number)) {
    return `"${text}" has a leading zero; write ${number.replace(/^0+/, '') || '1'} for ${number}`;
  }
  if (Number(number) < 1 || Number(number) > PORT_MAX) {
    return `"${text}": ${number} is no port; write 1 to ${PORT_MAX}`;
  }
  return null;
}

/** Where a port (or range) reaches the DomU: `to` for its first port, the others in the same order. */
export function shiftPort(port: Port, to: number): Port | string {
  const size = port.to - port.from + 1;
  if (to === port.from) return port;
  if (size > SHIFTED_RANGE_MAX) {
    return `a range of ${size} ports cannot be shifted; write ranges of at most ${SHIFTED_RANGE_MAX} ports, or leave "to" out`;
  }
  if (to + size - 1 > PORT_MAX) {
    return `the last of ${size} ports would be ${to + size - 1}, above ${PORT_MAX}; write to: ${PORT_MAX - size + 1} or less`;
  }
  return { ...port, target: to };
}

/** What to say of an entry that is neither text nor a mapping: mostly a bare number. */
export function notAPort(input: unknown): string {
  if (typeof input === 'number') {
    return `${input} needs its protocol; write ${input}/tcp or ${input}/udp`;
  }
  return wrongKind(input, 'a port such as 25/tcp, 8000-8009/tcp or {port: 80/tcp, to: 8080}');
}
