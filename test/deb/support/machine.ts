import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, run } from '../../../src/lab/run.ts';
import type { RunResult } from '../../../src/lab/run.ts';
import { Releaser } from '../../../src/lib/releaser.ts';
import { until } from '../../e2e/support/until.ts';

/**
 * $1: a control group of its own; $2: an empty directory for its disk. What it has written there is gone with it; below
 * it is this machine's own root, so packages that are installed here are installed there. $3: what it says while it boots.
 * A container's word that no service may be started (policy-rc.d) does not hold there, and manual pages are not indexed.
 */
const BOOT = `
echo $$ > $1/cgroup.procs
exec unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child sh -ec '
  mount --make-rprivate /
  mount -t tmpfs tmpfs $1
  mkdir $1/upper $1/work $1/root
  mount -t overlay overlay -o lowerdir=/,upperdir=$1/upper,workdir=$1/work $1/root
  cd $1/root
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  for each in run tmp dev; do mount -t tmpfs tmpfs $each; done
  for each in null zero full random urandom tty; do touch dev/$each; mount --bind /dev/$each dev/$each; done
  mkdir dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  touch dev/console
  mount --bind "$2" dev/console
  printf "[Unit]\\nRequires=basic.target\\nAfter=basic.target\\n" > etc/systemd/system/alone.target
  rm -f usr/sbin/policy-rc.d var/lib/man-db/auto-update
  mkdir -p .before
  pivot_root . .before
  umount -l .before
  exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console --unit=alone.target
' boot "$2" "$3"
`;

const UP_WITHIN = 120_000;
const COMMAND_WITHIN = 120_000;

/**
 * A Debian with systemd in namespaces of its own, on a copy of this machine's own file system: nothing that is
 * installed, started or routed there is here.
 */
export class Machine {
  readonly #pid: number;
  readonly #releaser: Releaser;

  private constructor(pid: number, releaser: Releaser) {
    this.#pid = pid;
    this.#releaser = releaser;
  }

  /** Resolves when systemd has started what is basic; no other service of this machine is started there. */
  static async boot(): Promise<Machine> {
    const releaser = new Releaser();
    try {
      const base = mkdtempSync(join(tmpdir(), 'director-machine-'));
      releaser.add(() => rmSync(base, { recursive: true, force: true }));
      const [groups, disk, says] = [join(base, 'groups'), join(base, 'disk'), join(base, 'console')];
      await must(['mkdir', groups, disk]);
      writeFileSync(says, '');
      await must(['mount', '-t', 'cgroup2', 'cgroup2', groups]);
      releaser.add(() => must(['umount', '-l', groups]));
      const group = mkdtempSync(join(groups, 'director-machine-'));
      releaser.add(() => until('its control groups are empty', () => Promise.resolve(removeTree(group))));
      const child = spawn('sh', ['-ec', BOOT, 'machine', group, disk, says], {
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      releaser.add(() => ended(child));
      const told = (): string => `; it said:\n${readFileSync(says, 'utf8').slice(-3000)}`;
      const machine = new Machine(await first(child), releaser);
      const isUp = async (): Promise<boolean> => {
        if (child.exitCode !== null) throw new Error(`the machine went down with ${child.exitCode}${told()}`);
        const { stdout } = await machine.run(['systemctl', 'is-active', 'alone.target']);
        return stdout.trim() === 'active';
      };
      await until('systemd has started', isUp, UP_WITHIN).catch((error: unknown) => {
        throw new Error(`${String(error)}${told()}`);
      });
      return machine;
    } catch (error) {
      await releaser.release();
      throw error;
    }
  }

  run(argv: readonly string[], stdin?: string): Promise<RunResult> {
    return run(this.#inside(argv), {
      timeout: COMMAND_WITHIN,
      ...(stdin === undefined ? {} : { stdin }),
      env: CLEAN,
    });
  }

  must(argv: readonly string[], stdin?: string): Promise<string> {
    return must(this.#inside(argv), {
      timeout: COMMAND_WITHIN,
      ...(stdin === undefined ? {} : { stdin }),
      env: CLEAN,
    });
  }

  write(path: string, text: string): Promise<string> {
    return this.must(['tee', path], text);
  }

  /** Copies a file of this machine's into its /tmp; answers where it is there. */
  async take(file: string): Promise<string> {
    const path = `/tmp/${file.split('/').at(-1) ?? ''}`;
    await this.must(['sh', '-ec', `base64 -d > ${path}`], readFileSync(file).toString('base64'));
    return path;
  }

  /** A property of a unit, as systemctl tells it. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.must(['systemctl', 'show', '--property', name, '--value', unit])).trim();
  }

  end(): Promise<void> {
    return this.#releaser.release();
  }

  #inside(argv: readonly string[]): string[] {
    return ['nsenter', '--target', String(this.#pid), '--all', ...argv];
  }
}

const CLEAN = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
  DEBIAN_FRONTEND: 'noninteractive',
  HOME: '/root',
};

/** The first process inside: the one child of unshare(1), which `child` has become. */
async function first(child: ChildProcess): Promise<number> {
  const pid = child.pid ?? 0;
  let found = 0;
  await until('its first process is there', () => {
    if (child.exitCode !== null) throw new Error(`the machine could not be made: ${child.exitCode}`);
    found = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
    return Promise.resolve(found > 0);
  });
  return found;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  // Its first process is killed with it, and all others of its namespace with that one (pid_namespaces(7)).
  child.kill('SIGKILL');
  await gone;
}

/** False as long as somebody is in them: the dead leave theirs a moment later. */
function removeTree(group: string): boolean {
  try {
    for (const entry of readdirSync(group, { withFileTypes: true }))
      if (entry.isDirectory() && !removeTree(join(group, entry.name))) return false;
    rmdirSync(group);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false;
    throw error;
  }
}
