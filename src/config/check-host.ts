import { contains, parseAddress } from '../model/address.ts';
import type { z } from 'zod';
import type { hostSchema } from './host-schema.ts';
import type { Problem } from './problem.ts';

export type HostFields = Partial<z.output<typeof hostSchema>>;

/** What is wrong between the fields that stand beside `services`. */
export function checkHost({ listen, tokens = [] }: HostFields): Problem[] {
  return [...(listen === undefined ? [] : listenProblems(listen)), ...tokenProblems(tokens)];
}

function listenProblems({ http, tls }: NonNullable<HostFields['listen']>): Problem[] {
  if (http === undefined) {
    const message = 'is for http, which is not there; add listen.http, or remove tls';
    return tls === undefined ? [] : [{ at: ['listen', 'tls'], message }];
  }
  if (tls !== undefined || isLoopback(http.host)) return [];
  const message = `${http.host} is not loopback, and tokens would cross the network in the clear; add listen.tls {cert, key}, or listen on 127.0.0.1 or [::1]`;
  return [{ at: ['listen', 'http'], message }];
}

function isLoopback(host: string): boolean {
  const address = parseAddress(host);
  if (typeof address === 'string') return host === 'localhost';
  return address.text === '::1' || contains({ family: 4, address: '127.0.0.0', prefix: 8 }, address);
}

function tokenProblems(tokens: NonNullable<HostFields['tokens']>): Problem[] {
  return tokens.flatMap(({ name, sha256 }, i) => {
    const earlier = tokens.slice(0, i);
    const problems: Problem[] = [];
    if (earlier.some((other) => other.name === name)) {
      const message = `another token is named ${name} already; give each a name of its own`;
      problems.push({ at: ['tokens', i, 'name'], message });
    }
    const twin = earlier.find((other) => other.sha256 === sha256);
    if (twin !== undefined) {
      const message = `is the same token as ${twin.name}'s; make each token a secret of its own`;
      problems.push({ at: ['tokens', i, 'sha256'], message });
    }
    return problems;
  });
}
