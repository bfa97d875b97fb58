import { Refusal } from '../lib/errors.ts';
import type { StageHost } from './host.ts';

/** Where Debian's xenconsoled writes what guests say, a file each (xenconsoled(8), --log-dir). */
const DIRECTORY = '/var/log/xen/console';
/** So much of it is looked at. */
const TAIL = 256 * 1024;

export const consolePath = (domain: string): string => `${DIRECTORY}/guest-${domain}.log`;

/** The last lines that a guest wrote to its console; null where nobody writes them down. */
export async function consoleTail(
  { files }: Pick<StageHost, 'files'>,
  domain: string,
  lines: number,
): Promise<string[] | null> {
  const text = await files.tail(consolePath(domain), TAIL);
  if (text === null) return null;
  const all = text.replaceAll('\r', '').split('\n');
  if (all.at(-1) === '') all.pop();
  return all.slice(-lines);
}

/** The same, or why it cannot be had. Reading xl's console itself would let the reader type into it. */
export async function mustReadConsole(
  host: Pick<StageHost, 'files'>,
  domain: string,
  lines: number,
): Promise<string[]> {
  const found = await consoleTail(host, domain, lines);
  if (found !== null) return found;
  throw new Refusal(
    'unprocessable',
    `nobody writes down what ${domain} says: there is no ${consolePath(domain)}`,
    {
      hint: 'let xenconsoled do it: XENCONSOLED_ARGS="--log=guest" in /etc/default/xen, which counts from the host\'s next start on',
    },
  );
}
