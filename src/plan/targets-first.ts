export interface Written {
  readonly chain: string;
  readonly rules: readonly string[];
}

const TARGET = /(?:^|\s)-[jg] (DIR-\S+)/;

/** The same chains, each behind all of those that its rules lead to; iptables has no loops. */
export function targetsFirst(chains: readonly Written[]): Written[] {
  const waiting = new Map(chains.map((written) => [written.chain, written]));
  const ordered: Written[] = [];
  const put = (written: Written): void => {
    waiting.delete(written.chain);
    for (const rule of written.rules) {
      const target = waiting.get(TARGET.exec(rule)?.[1] ?? '');
      if (target !== undefined) put(target);
    }
    ordered.push(written);
  };
  for (const written of chains) if (waiting.has(written.chain)) put(written);
  return ordered;
}
