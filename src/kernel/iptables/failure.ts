import { KernelError } from '../../lib/errors.ts';

/** What a tool of iptables said when it failed, as KernelError options. */
interface Known {
  readonly said: RegExp;
  readonly code: string;
  readonly hint?: string;
}

const KNOWN: readonly Known[] = [
  {
    said: /you must be root|Permission denied|Operation not permitted/i,
    code: 'EPERM',
    hint: 'run the director as root or with CAP_NET_ADMIN and CAP_NET_RAW, and /run/xtables.lock writable',
  },
  {
    said: /xtables lock|temporarily unavailable/i,
    code: 'EAGAIN',
    hint: 'another program holds iptables’ lock: find it with `fuser /run/xtables.lock`',
  },
  {
    said: /Table does not exist|Protocol not supported|Address family not supported|Could not fetch rule set/i,
    code: 'EOPNOTSUPP',
    hint: 'the kernel has no such table: `modprobe nf_tables nft_compat`, or `modprobe ip_tables iptable_nat`',
  },
  {
    said: /Set \S+ doesn't exist/i,
    code: 'ENOENT',
    hint: 'somebody has destroyed a set: the next reconcile makes it again',
  },
  {
    said: /Extension \S+ .*not supported|missing kernel module|Couldn't load (target|match)/i,
    code: 'ENOENT',
    hint: 'the kernel or iptables has no such extension: `modprobe xt_set xt_conntrack xt_connmark`',
  },
  { said: /Device or resource busy|Directory not empty/i, code: 'EBUSY' },
  { said: /does not exist|doesn't exist|No such file|No chain\/target\/match by that name/i, code: 'ENOENT' },
  { said: /File exists|already exists/i, code: 'EEXIST' },
  { said: /unknown option|Bad argument|Invalid argument|syntax/i, code: 'EINVAL' },
];

export const INSTALL_HINT = 'apt-get install iptables';

/** `stderr` of a save, or of anything that changes nothing. */
export function toolFailure(tool: string, status: number, stderr: string): KernelError {
  const said = saidBy(stderr);
  return new KernelError(`${tool} failed: ${said === '' ? `status ${status}` : said}`, kindOf(stderr));
}

/**
 * A restore commits table by table, so one that fails may leave the tables before it changed: the message says
 * which line was refused, and what holds now.
 */
export function restoreFailure(tool: string, status: number, stderr: string, text: string): KernelError {
  const lines = text.split('\n');
  const number = lineNumber(stderr);
  const said = saidBy(stderr);
  return new KernelError(
    `${tool} refused${quote(lines, number)}: ${said === '' ? `status ${status}` : said}; ${stateAfter(lines, number)}`,
    kindOf(stderr),
  );
}

/** A restore that was killed, or lost its caller: where it had got to is not known. */
export function restoreCutShort(cause: KernelError, text: string): KernelError {
  const tables = tablesIn(text.split('\n')).join(', ');
  return new KernelError(
    `${cause.message}; each of ${tables} has changed whole or not at all, which is not known`,
    {
      code: cause.code,
      cause,
      hint: 'look with iptables-save; the next reconcile puts right what is ours',
    },
  );
}

function kindOf(stderr: string): { code?: string; hint?: string } {
  const known = KNOWN.find(({ said }) => said.test(stderr));
  if (known === undefined) return {};
  return { code: known.code, ...(known.hint === undefined ? {} : { hint: known.hint }) };
}

const saidBy = (stderr: string): string =>
  stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(Try `|# Warning:)/.test(line))
    .join(' ');

/** `line 2 failed`, `Error occurred at line: 3`, `line 2: CHAIN_DEL failed (...)`; 1-based. */
function lineNumber(stderr: string): number | null {
  const match = /\bline:? (\d+)/.exec(stderr);
  return match === null ? null : Number(match[1]);
}

function quote(lines: readonly string[], number: number | null): string {
  const line = number === null ? undefined : lines[number - 1];
  if (line === undefined || line === '') return ' its input';
  return line === 'COMMIT' ? ` table ${tableAt(lines, number)} when it was committed` : ` "${line}"`;
}

const tableAt = (lines: readonly string[], number: number | null): string =>
  lines
    .slice(0, number ?? lines.length)
    .findLast((line) => line.startsWith('*'))
    ?.slice(1) ?? '?';

const tablesIn = (lines: readonly string[]): string[] =>
  lines.filter((line) => line.startsWith('*')).map((line) => line.slice(1));

function stateAfter(lines: readonly string[], number: number | null): string {
  const tables = tablesIn(lines);
  if (number === null && tables.length > 1) {
    return `each table is committed by itself, so some of ${tables.join(', ')} may have changed and others not`;
  }
  const before = lines.slice(0, Math.max(0, (number ?? 1) - 1));
  const done = before.filter((line) => line === 'COMMIT').length;
  if (done === 0) return 'nothing was changed';
  return `${tables.slice(0, done).join(', ')} had been committed by then and stay changed, ${tables.slice(done).join(', ')} did not change`;
}
