import { check } from '../check.ts';
import { fault, ok } from '../finding.ts';
import type { Verdict } from '../finding.ts';

/** `missing` as Kernel.missing tells: a sentence each, with its remedy in backquotes where there is one. */
export function judgeParts(missing: readonly string[]): Verdict[] {
  if (missing.length === 0) return [ok('iptables, ipset and conntrack answer')];
  return missing.map((sentence) => {
    const [, lack = sentence, command = null] = /^(.*): `([^`]+)`$/s.exec(sentence) ?? [];
    return fault(lack, 'nothing can be directed without it', command);
  });
}

export const partsCheck = check('parts', (ground) => ground.missing(), judgeParts);
