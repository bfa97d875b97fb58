import { join } from 'node:path';

/** What a machine is made of. */
export interface Parts {
  /** The folder with xen.bin, vmlinux and dom0.cpio. */
  readonly rig: string;
  /** The qcow2 that it writes to. */
  readonly disk: string;
  /** The image with the director's Debian package, its second disk. */
  readonly program: string;
  /** For its logs and its monitor. */
  readonly directory: string;
}

/** On this host's loopback. */
export interface Ports {
  readonly commands: number;
  readonly director: number;
}

const MEMORY_MB = 2048;
const DOM0_MB = 1024;
/** One: two of them wait for each other, and an emulator is no faster for it. */
const CPUS = 1;
/** The guest's Xen is told nothing of what would cost an emulated CPU time and protect nobody. */
const XEN = [
  ...['com1=115200,8n1', 'console=com1', `dom0_mem=${DOM0_MB}M,max:${DOM0_MB}M`, `dom0_max_vcpus=${CPUS}`],
  ...['spec-ctrl=no', 'xpti=no', 'pv-l1tf=no', 'smap=0', 'smep=0', 'bootscrub=0'],
  ...['loglvl=info', 'guest_loglvl=info', 'noreboot'],
].join(' ');
const LINUX = 'console=hvc0 quiet loglevel=4 mitigations=off nokaslr net.ifnames=0 systemd.show_status=false';
/** Where the agent listens in the Dom0: for commands, and as a way to the director's socket (rig-agent). */
const COMMANDS = '10.0.2.15:9000';
const DIRECTOR = '10.0.2.15:9001';
/** Emulated throughout: Xen needs more of a virtual machine's CPU than most hosts let through. */
export function qemuArgv({ rig, disk, program, directory }: Parts, ports: Ports): string[] {
  return [
    ...['qemu-system-x86_64', '-name', 'dom0-rig', '-machine', 'pc,usb=off'],
    ...['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'qemu64,+npt'],
    ...['-smp', `${CPUS}`, '-m', `${MEMORY_MB}`],
    ...['-nodefaults', '-display', 'none', '-vga', 'none', '-no-reboot'],
    ...['-kernel', join(rig, 'xen.bin'), '-append', XEN],
    ...['-initrd', `${join(rig, 'vmlinux')} ${LINUX},${join(rig, 'dom0.cpio')}`],
    ...['-chardev', `file,id=console,path=${join(directory, 'console.log')},append=on`],
    ...['-serial', 'chardev:console'],
    ...['-qmp', `unix:${join(directory, 'monitor')},server=on,wait=off`],
    ...['-drive', `file=${disk},format=qcow2,if=virtio,cache=unsafe`],
    ...['-drive', `file=${program},format=raw,if=virtio,readonly=on`],
    ...['-netdev', `user,id=mgmt,ipv6=off,restrict=on,${forwarded(ports)}`],
    ...['-device', 'virtio-net-pci,netdev=mgmt,romfile='],
  ];
}

const forwarded = ({ commands, director }: Ports): string =>
  `hostfwd=tcp:127.0.0.1:${commands}-${COMMANDS},hostfwd=tcp:127.0.0.1:${director}-${DIRECTOR}`;
