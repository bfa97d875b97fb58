import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';
import { domuName, duration, serviceName } from '../api/contract.ts';

/** Parsers of what is typed: what they throw is bad usage, told by commander. */
export function parseService(text: string): string {
  const parsed = serviceName.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(`${parsed.error.issues[0]?.message ?? 'not a service name'}.`);
}

export function parseDomu(text: string): string {
  const parsed = domuName.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(`${parsed.error.issues[0]?.message ?? "not a DomU's name"}.`);
}

/** For `SERVICE..`: each one once. */
export function collectServices(text: string, before: readonly string[] | undefined): string[] {
  const name = parseService(text);
  return before?.includes(name) === true ? [...before] : [...(before ?? []), name];
}

export function parseDurationText(text: string): string {
  const parsed = duration.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(`${parsed.error.issues[0]?.message ?? 'not a duration'}.`);
}

export function parseDurationOrNever(text: string): string {
  return text === 'never' ? text : parseDurationText(text);
}

/** An address or a network; the daemon has the last word on it. */
export function parseSource(text: string): string {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  const longest = version === 4 ? 32 : 128;
  const goodPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= longest);
  if (version !== 0 && !address.includes('%') && goodPrefix && rest.length === 0) return text;
  throw new InvalidArgumentError('it is not an address or a network, such as 198.51.100.7 or 2001:db8::/32.');
}

export function parseAddressText(text: string): string {
  if (isIP(text) !== 0 && !text.includes('%')) return text;
  throw new InvalidArgumentError('it is not an address, such as 198.51.100.7 or 2001:db8::7.');
}

export function parseCount(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text) && Number(text) <= 1000) return Number(text);
  throw new InvalidArgumentError('it is not a whole number from 1 to 1000.');
}

export function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new InvalidArgumentError('it is not a URL such as https://dom0.example:8440.');
}

/** The limits of a reason and of a note are those of the contract. */
export function parseReason(text: string): string {
  if (text.length <= 500) return text;
  throw new InvalidArgumentError('it is longer than 500 characters.');
}

export function parseNote(text: string): string {
  if (text.length <= 200) return text;
  throw new InvalidArgumentError('it is longer than 200 characters.');
}
