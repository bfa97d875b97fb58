import { join } from 'node:path';
import { check } from '../check.ts';
import { fault, ok, warning } from '../finding.ts';
import type { Verdict } from '../finding.ts';
import type { Ground } from '../ground.ts';

/** Null where nobody could be asked. */
export interface ClockSeen {
  readonly synchronised: boolean | null;
  /** A program that could set it is on this host. */
  readonly keeper: boolean;
  /** Milliseconds that the store was changed after now. */
  readonly ahead: number;
}

const MINUTE = 60_000;

/** Trials and leases are kept by the kernel's timers; when they end is told, and resumed after a reboot, by the clock. */
export function judgeClock({ synchronised, keeper, ahead }: ClockSeen): Verdict[] {
  const command = keeper ? 'timedatectl set-ntp true' : 'apt-get install systemd-timesyncd';
  if (ahead > MINUTE)
    return [
      fault(
        `the clock is at least ${Math.floor(ahead / MINUTE)} min behind what it was`,
        'the store was changed later than it is now: trials and leases would last longer than they were given',
        command,
      ),
    ];
  if (synchronised === true) return [ok('the clock is synchronised')];
  const what =
    synchronised === null
      ? 'whether the clock is synchronised is not known'
      : 'the clock is not synchronised';
  const why =
    'deadlines and leases that outlast a restart are resumed by it, and the journal’s times are compared with other hosts’';
  return [warning(what, why, command)];
}

/** SYS_adjtimex (asm/unistd.h). */
const ADJTIMEX: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { x64: 159, arm64: 171 };
/** adjtimex(2): answers TIME_ERROR where STA_UNSYNC is set; with `modes` zero it changes nothing and needs no right. */
const TIME_ERROR = 5;

const KEEPERS = ['/lib/systemd/systemd-timesyncd', '/usr/sbin/chronyd', '/usr/sbin/ntpd'];

async function look(ground: Ground): Promise<ClockSeen> {
  const keepers = await Promise.all(KEEPERS.map(ground.changedAt));
  return {
    synchronised: await isSynchronised(ground),
    keeper: keepers.some((changedAt) => changedAt !== null),
    ahead: await aheadOf(ground),
  };
}

/** Not from src/store: the doctor must run where its database does not. */
const STORE_FILES = ['director.sqlite', 'director.sqlite-wal'];

/** The store and its log are written to at every change: none of them can have been in the future. */
async function aheadOf({ state, changedAt }: Ground): Promise<number> {
  if (state === null) return 0;
  const times = await Promise.all(STORE_FILES.map((name) => changedAt(join(state, name))));
  return Math.max(0, ...times.map((time) => (time ?? 0) - Date.now()));
}

async function isSynchronised({ run, changedAt }: Ground): Promise<boolean | null> {
  if ((await changedAt('/run/systemd/timesync/synchronized')) !== null) return true;
  const number = ADJTIMEX[process.arch];
  if (number === undefined) return null;
  const program = `my $timex = "\\0" x 256; print syscall(${number}, $timex)`;
  const { status, stdout } = await run('perl', ['-e', program]);
  const state = Number(stdout);
  if (status !== 0 || stdout === '' || !(state >= 0)) return null;
  return state !== TIME_ERROR;
}

export const clockCheck = check('clock', look, judgeClock);
