import { KernelError } from '../lib/errors.ts';
import { Turn } from '../lib/turn.ts';
import { run } from '../lib/run.ts';
import { isUnsupported } from './rulesets.ts';

/** A base chain of nftables: every packet at its hook passes it, whatever iptables has said. */
export interface Base {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly hook: string;
  readonly policy: 'accept' | 'drop';
}

/** Chains that iptables-nft keeps in families ip and ip6 (iptables-nft(8)): iptables-save shows what is in them. */
const IPTABLES = new Set(
  ['ip', 'ip6'].flatMap((family) =>
    ['filter', 'nat', 'mangle', 'raw', 'security'].map((table) => `${family} ${table}`),
  ),
);

const BUILT_IN = /^(PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/;

/** Null where nft is not there. KernelError where it fails. */
export async function readBases(signal?: AbortSignal): Promise<readonly Base[] | null> {
  try {
    const { status, stdout, stderr } = await run('nft', ['list', 'chains'], { signal });
    if (status === 0) return await parseBases(stdout);
    if (isUnsupported(stderr)) return null;
    throw new KernelError(`nft list chains failed: ${stderr.trim()}`);
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** Of the text of `nft list chains`, which has a line for each brace. */
export async function parseBases(text: string): Promise<Base[]> {
  const turn = new Turn();
  const bases: Base[] = [];
  let [family, table, chain] = ['', '', ''];
  for (const line of text.split('\n')) {
    if (turn.isOver) await turn.pass();
    const head = /^table (\S+) (\S+) \{$/.exec(line);
    if (head !== null) [, family = '', table = ''] = head;
    chain = /^\tchain (\S+) \{$/.exec(line)?.[1] ?? chain;
    const [, hook = '', said] = /^\t\ttype \w+ hook (\w+) .*?(?:policy (\w+);)?$/.exec(line) ?? [];
    if (hook === '' || (IPTABLES.has(`${family} ${table}`) && BUILT_IN.test(chain))) continue;
    bases.push({ family, table, chain, hook, policy: said === 'drop' ? 'drop' : 'accept' });
  }
  return bases;
}
