import type { Clock } from '../../../src/lib/clock.ts';
import { DirectorError } from '../../../src/lib/errors.ts';
import type { VolumeCheck } from '../../../src/model/stage.ts';
import type { Files, Programs } from '../../../src/stage/files.ts';
import type { Filesystems } from '../../../src/stage/filesystems.ts';
import type { StageHost } from '../../../src/stage/host.ts';
import { keptBecause, VolumeError } from '../../../src/stage/volumes.ts';
import type { SnapshotOrder, Volume, Volumes } from '../../../src/stage/volumes.ts';
import { parseXlConfig, valueOf } from '../../../src/stage/xl-config.ts';
import { parseDisk } from '../../../src/stage/disk-spec.ts';
import { FakeXen } from '../../../src/xen/fake.ts';
import { NoHypervisor } from '../../../src/xen/none.ts';

/** What goes wrong: a call, such as `snapshot`, the n-th time (from 0) or each time. */
export type StageFault = (call: string, n: number) => 'refuse' | 'die' | undefined;

/** A host of values that guests are made on. It outlives every director. */
export class FakeStageHost implements StageHost {
  readonly clock: Clock;
  readonly hypervisor: FakeXen;
  readonly volumes: Volumes;
  readonly filesystems: Filesystems;
  readonly files: Files;
  readonly programs: Programs;
  /** Texts by path; links as `-> TARGET`. */
  readonly disk = new Map<string, string>();
  readonly links = new Map<string, string>();
  lvs: Volume[] = [];
  check: VolumeCheck = { verdict: 'clean', text: 'ext4, clean' };
  /** What changed something, in order. */
  readonly calls: string[] = [];
  fault: StageFault = () => undefined;
  /** Called where a fault is `die`: the director is dead from then on. */
  kill: () => void = () => undefined;
  readonly #counts = new Map<string, number>();

  constructor(clock: Clock) {
    this.clock = clock;
    this.hypervisor = this.#xen();
    this.volumes = this.#lvm();
    this.filesystems = { check: () => Promise.resolve(this.check) };
    this.files = this.#files();
    this.programs = {
      run: (argv, input) => this.#call('prepare', `${argv.join(' ')} < ${input.trim()}`, () => undefined),
      runLater: (argv, after) => {
        this.calls.push(`later ${argv.join(' ')} (${after})`);
        return () => this.calls.push('later called off');
      },
    };
  }

  /** The effect happens unless it is refused; a director that dies in it does not hear of it. */
  #call(name: string, what: string, effect: () => unknown): Promise<void> {
    const n = this.#counts.get(name) ?? 0;
    this.#counts.set(name, n + 1);
    const fault = this.fault(name, n);
    if (fault === 'refuse') return Promise.reject(new DirectorError(`${name}: no`));
    this.calls.push(`${name} ${what}`.trim());
    return new Promise((resolve) => {
      effect();
      if (fault === 'die') this.kill();
      else resolve();
    });
  }

  volume(group: string, name: string, changes: Partial<Volume> = {}): void {
    this.lvs.push({
      group,
      name,
      device: `/dev/${group}/${name}`,
      kind: 'thin',
      origin: null,
      pool: 'pool',
      size: 1024 ** 3,
      filled: 10,
      isOpen: false,
      tags: [],
      ...changes,
    });
  }

  /** All that somebody could find on it, to compare. */
  async state(): Promise<unknown> {
    return {
      files: [...this.disk].toSorted(),
      links: [...this.links].toSorted(),
      volumes: this.lvs.map(({ group, name }) => `${group}/${name}`).toSorted(),
      domains: (await this.hypervisor.domains()).map(({ name, state }) => `${name} ${state}`).toSorted(),
    };
  }

  #lvm(): Volumes {
    return {
      list: () => Promise.resolve(this.lvs.map((volume) => ({ ...volume }))),
      at: (device) => Promise.resolve(this.lvs.find((volume) => volume.device === device) ?? null),
      snapshot: (order) =>
        this.#call('snapshot', `${order.group}/${order.name}`, () => this.#snapshot(order)),
      remove: async (group, name, tag) => {
        const volume = this.lvs.find((one) => one.group === group && one.name === name);
        if (volume === undefined) return false;
        const reason = keptBecause(volume, tag, this.lvs);
        if (reason !== null) throw new VolumeError(reason);
        await this.#call('lvremove', `${group}/${name}`, () => {
          this.lvs = this.lvs.filter((one) => one !== volume);
        });
        return true;
      },
    };
  }

  #snapshot({ group, origin, name, thin, tag }: SnapshotOrder): void {
    const of = this.lvs.find((one) => one.group === group && one.name === origin);
    if (of === undefined) throw new VolumeError(`${group}/${origin} is not there`);
    this.volume(group, name, {
      kind: thin ? 'thin' : 'snapshot',
      origin,
      pool: thin ? of.pool : null,
      tags: [tag],
    });
  }

  #files(): Files {
    return {
      read: (path) => Promise.resolve(this.disk.get(path) ?? null),
      exists: (path) => Promise.resolve(this.disk.has(path) || this.links.has(path)),
      write: (path, text) =>
        this.#call('write', path, () => {
          if (this.disk.has(path)) throw new DirectorError(`${path} is there already`);
          this.disk.set(path, text);
        }),
      remove: async (path, mark) => {
        const text = this.disk.get(path);
        if (text === undefined) return false;
        if (!text.includes(mark)) throw new DirectorError(`${path} is somebody else's`);
        await this.#call('rm', path, () => this.disk.delete(path));
        return true;
      },
      link: (path, to) => this.#call('link', `${path} -> ${to}`, () => this.links.set(path, to)),
      unlink: async (path, to) => {
        if (this.links.get(path) !== to) return false;
        await this.#call('unlink', path, () => this.links.delete(path));
        return true;
      },
      linksTo: (directory, name) =>
        Promise.resolve(
          [...this.links]
            .filter(([path, to]) => path.startsWith(`${directory}/`) && to.endsWith(`/${name}`))
            .map(([path]) => path),
        ),
      tail: (path) => Promise.resolve(this.disk.get(path) ?? null),
    };
  }

  /** `create` reads the file, and opens the volumes that stand in it; `destroy` lets go of them. */
  #xen(): FakeXen {
    const xen = new FakeXen();
    const [create, destroy] = [xen.create.bind(xen), xen.destroy.bind(xen)];
    const [pause, unpause] = [xen.pause.bind(xen), xen.unpause.bind(xen)];
    const devices = (file: string): string[] => {
      const disks = valueOf(parseXlConfig(this.disk.get(file) ?? ''), 'disk');
      return typeof disks === 'object' ? disks.map((spec) => parseDisk(String(spec)).target) : [];
    };
    const open = (file: string, isOpen: boolean): void => {
      const used = devices(file);
      this.lvs = this.lvs.map((volume) => (used.includes(volume.device) ? { ...volume, isOpen } : volume));
    };
    const files = new Map<string, string>();
    xen.create = (file) =>
      this.#call('create', file, () => {
        const name = String(valueOf(parseXlConfig(this.disk.get(file) ?? ''), 'name'));
        xen.configure(file, { name });
        files.set(name, file);
        open(file, true);
        void create(file);
      });
    xen.destroy = async (name) => {
      let was = false;
      await this.#call('destroy', name, () => {
        open(files.get(name) ?? '', false);
        void destroy(name).then((found) => (was = found));
      });
      await Promise.resolve();
      return was;
    };
    xen.pause = (name) => this.#call('pause', name, () => void pause(name));
    xen.unpause = (name) => this.#call('unpause', name, () => void unpause(name));
    return xen;
  }
}

/** A host on which no guest can be made. */
export function noStaging(clock: Clock): StageHost {
  const { volumes, filesystems, files, programs } = new FakeStageHost(clock);
  return { hypervisor: new NoHypervisor('it is a test'), volumes, filesystems, files, programs, clock };
}
