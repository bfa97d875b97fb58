import type { Clock } from '../lib/clock.ts';
import type { Hypervisor } from '../xen/hypervisor.ts';
import type { Files, Programs } from './files.ts';
import { LinuxFiles, LinuxPrograms } from './files.ts';
import type { Filesystems } from './filesystems.ts';
import { LinuxFilesystems } from './filesystems.ts';
import { Lvm } from './lvm.ts';
import type { Volumes } from './volumes.ts';

/** All of the host that staging touches. */
export interface StageHost {
  readonly hypervisor: Hypervisor;
  readonly volumes: Volumes;
  readonly filesystems: Filesystems;
  readonly files: Files;
  readonly programs: Programs;
  readonly clock: Clock;
}

export const linuxStageHost = (hypervisor: Hypervisor, clock: Clock): StageHost => ({
  hypervisor,
  clock,
  volumes: new Lvm(),
  filesystems: new LinuxFilesystems(),
  files: new LinuxFiles(),
  programs: new LinuxPrograms(),
});
