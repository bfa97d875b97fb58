import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { KernelError } from '../lib/errors.ts';

/**
 * Keys are paths below /proc/sys (`net/ipv4/conf/vif1.0/forwarding`): interface names may contain dots, so sysctl(8)'s
 * dotted spelling would be ambiguous. Only what belongs to a network namespace is ours to read or write.
 */
const KEY = /^net(\/[A-Za-z0-9][A-Za-z0-9._-]*)+$/;

/** Its file. KernelError EINVAL for what is no sysctl of the network. */
export const pathOfSysctl = (key: string): string => {
  if (KEY.test(key)) return `/proc/sys/${key}`;
  throw new KernelError(`"${key}" is not a sysctl of the network, such as net/ipv4/ip_forward`, {
    code: 'EINVAL',
  });
};

const failed = (what: string, key: string, cause: unknown, hint?: string): KernelError => {
  const code = (cause as NodeJS.ErrnoException).code ?? 'UNKNOWN';
  return new KernelError(`${what} ${key}: ${code}; it is as it was`, {
    code,
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
};

/**
 * The value without its line end; null where this kernel has no such key. Read at once: /proc answers from memory, and
 * a turn of the thread pool costs more than the whole of it, twice a second.
 */
export function readSysctl(key: string): string | null {
  const path = pathOfSysctl(key);
  try {
    return existsSync(path) ? readFileSync(path, 'utf8').trimEnd() : null;
  } catch (error) {
    throw failed('could not read sysctl', key, error);
  }
}

/** KernelError ENOENT where there is no such key, EACCES without the right, EINVAL for a value that it refuses. */
export async function writeSysctl(key: string, value: string): Promise<void> {
  const path = pathOfSysctl(key);
  try {
    // r+: a key that does not exist must not look like a file that may be created.
    const file = await open(path, 'r+');
    await file.write(`${value}\n`).finally(() => file.close());
  } catch (error) {
    throw failed(`could not write ${JSON.stringify(value)} to sysctl`, key, error, hintFor(error));
  }
}

function hintFor(error: unknown): string | undefined {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'the kernel module or the interface that it belongs to is not there';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'run the director as root, with /proc/sys writable (systemd: no ProtectKernelTunables=)';
    default:
      return undefined;
  }
}
