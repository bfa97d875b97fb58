import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { KernelError } from './errors.ts';
import { run } from './run.ts';
import type { Ran, RunOptions } from './run.ts';

/** What systemd-run waits for a service by; systemd's own socket does not tell of its end. */
export const BUS = '/run/dbus/system_bus_socket';

/**
 * Runs a tool as systemd would run a service of its own, where the director is one: with all of root's rights, of which
 * the director itself has but a few; and whatever it leaves running is no part of the director to systemd. Elsewhere, and
 * without D-Bus, it is run as any other. Answers and fails as `run` does.
 */
export async function runOutside(
  command: string,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  // INVOCATION_ID: systemd.exec(5), of each service.
  if (process.env['INVOCATION_ID'] === undefined || !existsSync(BUS)) return run(command, argv, options);
  const unit = `dom0-director-${randomBytes(6).toString('hex')}.service`;
  const ran = await run('systemd-run', [...asService(unit), '--', command, ...argv], options).catch(
    async (error: unknown) => {
      // Who only gives up waiting for it must not leave it at work.
      await run('systemctl', ['stop', unit]).catch(() => undefined);
      throw error;
    },
  );
  if (ran.status !== 0 && ran.stderr.startsWith('Failed to find executable'))
    throw new KernelError(`${command} is not on this host`, { code: 'ENOENT' });
  return ran;
}

/** systemd-run(1). KillMode: a guest's xl stays behind (systemd.kill(5)). */
const asService = (unit: string): string[] => [
  ...['--quiet', '--pipe', '--wait', '--collect', `--unit=${unit}`],
  ...['--property=KillMode=process', '--setenv=LC_ALL=C'],
];
