// Builds what the rig boots, from this machine's own Debian packages: Xen, a kernel, a Dom0's disk without a director,
// and an initramfs for DomUs. Kept outside the tree, one folder for each set of inputs; .cache/xen-rig.json says
// where it is. Plain JavaScript, since it runs before there is a network namespace without a network.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const here = fileURLToPath(new URL('.', import.meta.url));
const project = fileURLToPath(new URL('../../../', import.meta.url));
const place = '/var/tmp/dom0-director-rig';
/** Rigs that nobody has used for so long are removed. */
const KEPT_DAYS = 3;

const HOST_TOOLS = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  mmdebstrap: 'mmdebstrap',
  mke2fs: 'e2fsprogs',
  cpio: 'cpio',
  depmod: 'kmod',
  xz: 'xz-utils',
  zstd: 'zstd',
  cc: 'gcc',
};
const DOM0_PACKAGES = [
  ...['systemd-sysv', 'udev', 'kmod', 'mount', 'procps', 'adduser', 'init-system-helpers', 'dbus'],
  ...['iproute2', 'iptables', 'nftables', 'ipset', 'conntrack', 'iputils-ping', 'socat', 'curl', 'tcpdump'],
  ...['lvm2', 'dmsetup', 'thin-provisioning-tools', 'e2fsprogs', 'libstdc++6', 'python3-minimal'],
];
/** What an emulated Dom0 need not spend its time on. */
const MASKED = [
  ...['systemd-timesyncd.service', 'systemd-logind.service', 'systemd-update-utmp.service'],
  ...['systemd-update-utmp-runlevel.service', 'systemd-pstore.service', 'systemd-binfmt.service'],
  ...['systemd-user-sessions.service', 'systemd-random-seed.service', 'ldconfig.service'],
  ...['systemd-hwdb-update.service', 'systemd-firstboot.service', 'systemd-sysusers.service'],
  ...['getty.target', 'getty@tty1.service', 'serial-getty@hvc0.service', 'console-getty.service'],
  ...['lvm2-monitor.service', 'blk-availability.service', 'e2scrub_reap.service', 'nftables.service'],
  ...['e2scrub_all.timer', 'fstrim.timer', 'apt-daily.timer', 'apt-daily-upgrade.timer'],
  ...['dev-hugepages.mount', 'dev-mqueue.mount', 'sys-kernel-debug.mount', 'sys-fs-fuse-connections.mount'],
  ...['configfs', 'dm_mod', 'fuse', 'loop', 'drm', 'efi_pstore'].map(
    (module) => `modprobe@${module}.service`,
  ),
  ...[
    'systemd-journal-catalog-update.service',
    'systemd-machine-id-commit.service',
    'systemd-sysext.service',
  ],
  ...['systemd-boot-system-token.service', 'proc-sys-fs-binfmt_misc.automount'],
  ...['systemd-ask-password-console.path', 'systemd-ask-password-wall.path'],
  ...['dpkg-db-backup.timer', 'systemd-tmpfiles-clean.timer', 'logrotate.timer'],
];
const ENABLED = { 'rig-agent.service': 'sysinit.target' };
/** Folders and files of modules that a Dom0 of ours can need; all of them would be 400 MB. */
const DOM0_MODULES = [
  ...['kernel/net', 'kernel/lib', 'kernel/crypto', 'kernel/arch/x86/crypto'],
  ...['kernel/fs/ext4', 'kernel/fs/jbd2', 'kernel/fs/mbcache.ko', 'kernel/fs/autofs', 'kernel/fs/overlayfs'],
  ...[
    'kernel/drivers/xen',
    'kernel/drivers/md',
    'kernel/drivers/block',
    'kernel/drivers/virtio',
    'kernel/drivers/dax',
  ],
  ...['kernel/drivers/net/xen-netback', 'kernel/drivers/net/veth.ko', 'kernel/drivers/net/dummy.ko'],
  ...['kernel/drivers/net/tun.ko', 'kernel/drivers/net/virtio_net.ko', 'kernel/drivers/net/net_failover.ko'],
  ...['kernel/net/core/failover.ko', 'kernel/drivers/char/hw_random', 'modules.order'],
  ...['modules.builtin', 'modules.builtin.modinfo'],
];

try {
  main();
} catch (error) {
  console.error(`rig: ${error.message}`);
  rmSync(join(project, '.cache/xen-rig.json'), { force: true });
  process.exitCode = 1;
}

function main() {
  if (process.arch !== 'x64')
    throw new Error(`a Dom0 is emulated on amd64 only, and this machine is ${process.arch}`);
  if (process.getuid() !== 0) throw new Error('a Dom0 can only be built by root');
  installTools();
  const sources = chosenPackages();
  const directory = join(place, keyOf(sources));
  mkdirSync(place, { recursive: true });
  if (existsSync(directory)) utimesSync(directory, new Date(), new Date());
  else build(directory, sources);
  prune(directory);
  mkdirSync(join(project, '.cache'), { recursive: true });
  writeFileSync(join(project, '.cache/xen-rig.json'), `${JSON.stringify({ directory })}\n`);
}

function installTools() {
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`.split(':');
  const missing = Object.entries(HOST_TOOLS).filter(
    ([tool]) => !path.some((one) => existsSync(join(one, tool))),
  );
  if (missing.length === 0) return;
  const names = [
    ...missing.map(([, name]) => name),
    ...(missing.some(([tool]) => tool === 'cc') ? ['libc6-dev'] : []),
  ];
  say(`installing ${names.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = [
    'apt-get',
    '-o',
    'DPkg::Lock::Timeout=120',
    'install',
    '-y',
    '-qq',
    '--no-install-recommends',
    ...names,
  ];
  if (spawnSync(install[0], install.slice(1), { env, stdio: 'ignore' }).status === 0) return;
  run(['apt-get', 'update', '-qq'], { env });
  run(install, { env });
}

/** The names and versions of the packages with Xen and the kernel, as this machine's Debian has them now. */
function chosenPackages() {
  const codename = /^VERSION_CODENAME=(.+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (!/^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8')) || codename === undefined)
    throw new Error('the rig is made of Debian packages, and this machine is no Debian');
  if (dependenciesOf('xen-system-amd64').length === 0) run(['apt-get', 'update', '-qq']);
  const kernel = dependenciesOf('linux-image-amd64').find((name) => name.startsWith('linux-image-'));
  const xen = dependenciesOf('xen-system-amd64');
  const hypervisor = xen.find((name) => /^xen-hypervisor-[\d.]+-amd64$/.test(name));
  const utils = xen.find((name) => /^xen-utils-[\d.]+$/.test(name));
  if (kernel === undefined || hypervisor === undefined || utils === undefined)
    throw new Error(`apt knows no packages of Xen or Linux for this machine's Debian (${codename})`);
  const versions = run(['apt-cache', 'policy', kernel, hypervisor, utils])
    .split('\n')
    .filter((line) => line.includes('Candidate:'));
  return { codename, kernel, hypervisor, utils, versions };
}

function dependenciesOf(name) {
  const { stdout } = spawnSync('apt-cache', ['depends', name], { encoding: 'utf8' });
  return [...(stdout ?? '').matchAll(/^ {2}Depends: (\S+)$/gm)].map((match) => match[1]);
}

function keyOf(sources) {
  const hash = createHash('sha256').update(JSON.stringify(sources));
  for (const file of readdirSync(here, { recursive: true }).toSorted()) {
    const path = join(here, file);
    if (statSync(path).isFile()) hash.update(file).update(readFileSync(path));
  }
  return hash.digest('hex').slice(0, 12);
}

/** Under another name first: whoever builds the same at the same time takes the one that is finished first. */
function build(directory, { codename, kernel, hypervisor, utils }) {
  const started = Date.now();
  const made = mkdtempSync(join(place, 'building-'));
  const work = join(made, 'work');
  mkdirSync(work);
  try {
    const version = kernel.slice('linux-image-'.length);
    say(`downloading ${hypervisor}, ${kernel}`);
    const content = unpack(work, [hypervisor, kernel, 'busybox-static']);
    run(['depmod', '-b', content, version]);
    const xen = readdirSync(join(content, 'boot')).find((name) => /^xen-[\d.]+-amd64\.gz$/.test(name));
    writeFileSync(join(made, 'xen.bin'), gunzipSync(readFileSync(join(content, 'boot', xen))));
    writeFileSync(join(made, 'vmlinux'), payloadOf(join(content, `boot/vmlinuz-${version}`)));
    const greeter = join(work, 'greeter');
    run([
      'cc',
      '-static',
      '-O2',
      '-s',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-o',
      greeter,
      join(here, 'guest/greeter.c'),
    ]);
    const modulesOf = (...names) => ({ content, version, names });
    initramfs(join(made, 'dom0.cpio'), join(here, 'dom0-initrd-init'), [], {
      ...modulesOf('virtio_pci', 'virtio_blk', 'virtio_net', 'ext4', 'crc32c_generic'),
    });
    initramfs(join(work, 'domu.cpio'), join(here, 'guest/init'), [greeter], {
      ...modulesOf('xen-netfront', 'xen-blkfront', 'ext4', 'crc32c_generic'),
    });
    say(`installing a Dom0 of ${codename} with ${utils}`);
    dom0(join(made, 'dom0.img'), { work, content, version, codename, utils, vmlinux: join(made, 'vmlinux') });
    rmSync(work, { recursive: true });
    chmodSync(made, 0o755);
    renameSync(made, directory);
    say(`built in ${Math.round((Date.now() - started) / 1000)} s: ${directory}`);
  } catch (error) {
    if (!existsSync(directory)) throw error;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

function unpack(work, names) {
  const debs = join(work, 'debs');
  const content = join(work, 'content');
  mkdirSync(debs);
  const download = ['apt-get', 'download', '-qq', '-o', 'APT::Sandbox::User=root', ...names];
  if (spawnSync(download[0], download.slice(1), { cwd: debs, stdio: 'ignore' }).status !== 0) {
    run(['apt-get', 'update', '-qq']);
    run(download, { cwd: debs });
  }
  const files = readdirSync(debs);
  if (files.length !== names.length) throw new Error(`apt-get has not downloaded all of ${names.join(' ')}`);
  for (const file of files) run(['dpkg-deb', '-x', join(debs, file), content]);
  return content;
}

/** The kernel inside of a bzImage (Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length). */
function payloadOf(file) {
  const image = readFileSync(file);
  const start = ((image[0x1f1] || 4) + 1) * 512 + image.readUInt32LE(0x248);
  // The last four bytes are the size that it will have.
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c) - 4);
  const magic = payload.subarray(0, 4).toString('hex');
  const unpackers = { fd377a58: ['xz', '-dc'], '28b52ffd': ['zstd', '-dc'] };
  const vmlinux = magic.startsWith('1f8b') ? gunzipSync(payload) : pipe(unpackers[magic], payload);
  if (vmlinux.subarray(0, 4).toString('latin1') !== '\x7fELF') throw new Error(`${file} holds no ELF kernel`);
  return vmlinux;
}

function pipe(argv, input) {
  if (argv === undefined) throw new Error('the kernel is packed in a way that the rig does not know');
  const { status, stdout, stderr } = spawnSync(argv[0], argv.slice(1), { input, maxBuffer: 2 ** 30 });
  if (status !== 0) throw new Error(`"${argv.join(' ')}" failed: ${stderr}`);
  return stdout;
}

function initramfs(target, init, programs, { content, version, names }) {
  const tree = mkdtempSync(`${target}-`);
  for (const folder of ['bin', 'lib', 'proc', 'sys', 'dev', 'mnt']) mkdirSync(join(tree, folder));
  copyFileSync(join(content, 'bin/busybox'), join(tree, 'bin/busybox'));
  symlinkSync('busybox', join(tree, 'bin/sh'));
  for (const program of programs) copyFileSync(program, join(tree, 'bin', program.split('/').at(-1)));
  copyFileSync(init, join(tree, 'init'));
  chmodSync(join(tree, 'init'), 0o755);
  const show = ['modprobe', '-d', content, '-S', version, '-a', '--show-depends', ...names];
  const modules = new Set([...run(show).matchAll(/^insmod (\S+)/gm)].map((match) => match[1]));
  // Their numbers keep them in the order in which they depend on each other.
  [...modules].forEach((file, at) =>
    copyFileSync(file, join(tree, 'lib', `${100 + at}-${file.split('/').at(-1)}`)),
  );
  const files = ['.', ...readdirSync(tree, { recursive: true })].join('\n');
  const { status, stdout } = spawnSync('cpio', ['-o', '-H', 'newc', '--quiet', '-R', '0:0'], {
    cwd: tree,
    input: files,
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error('cpio failed');
  writeFileSync(target, stdout);
  rmSync(tree, { recursive: true });
}

function dom0(image, { work, content, version, codename, utils, vmlinux }) {
  const root = join(work, 'root');
  const sources = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list'].filter((file) =>
    existsSync(file),
  );
  run([
    ...['mmdebstrap', '--quiet', '--mode=root', '--format=directory', '--variant=essential'],
    ...['doc', 'man', 'locale', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
    `--include=${[...DOM0_PACKAGES, utils].join(',')}`,
    ...[codename, root, ...sources.slice(0, 1)],
  ]);
  furnish(root);
  copyModules(content, root, version);
  mkdirSync(join(root, 'guest'));
  copyFileSync(vmlinux, join(root, 'guest/vmlinux'));
  copyFileSync(join(work, 'domu.cpio'), join(root, 'guest/initramfs'));
  run(['truncate', '-s', '3G', image]);
  run(['mke2fs', '-q', '-t', 'ext4', '-E', 'lazy_itable_init=1', '-d', root, image]);
}

function furnish(root) {
  cpSync(join(here, 'dom0'), root, { recursive: true });
  const units = join(root, 'etc/systemd/system');
  for (const unit of MASKED) {
    rmSync(join(units, unit), { force: true });
    symlinkSync('/dev/null', join(units, unit));
  }
  for (const [unit, target] of Object.entries(ENABLED)) {
    mkdirSync(join(units, `${target}.wants`), { recursive: true });
    symlinkSync(`../${unit}`, join(units, `${target}.wants`, unit));
  }
  const write = (file, text) => writeFileSync(join(root, file), text);
  write('etc/hostname', 'dom0\n');
  write('etc/machine-id', `${'d0'.repeat(16)}\n`);
  write('etc/fstab', '/dev/vda / ext4 noatime 0 0\n');
  // Nothing is to be done over again at a boot because files are newer than this one (systemd-update-done.service(8)).
  for (const folder of ['etc', 'var']) write(`${folder}/.updated`, '');
  mkdirSync(join(root, 'var/log/xen/console'), { recursive: true });
  appendFileSync(join(root, 'etc/default/xen'), '\nXENCONSOLED_ARGS="--log=guest --timestamp=guest"\n');
  // Guests are shut down with the Dom0, not saved: what is on a disk after a reboot is what was there before.
  appendFileSync(
    join(root, 'etc/default/xendomains'),
    '\nXENDOMAINS_SAVE=""\nXENDOMAINS_RESTORE=false\nXENDOMAINS_CREATE_USLEEP=0\nXENDOMAINS_STOP_MAXWAIT=120\n',
  );
}

function copyModules(content, root, version) {
  const from = join(content, 'lib/modules', version);
  const into = join(root, 'lib/modules', version);
  mkdirSync(into, { recursive: true });
  const there = DOM0_MODULES.filter((path) => existsSync(join(from, path)));
  run(['cp', '-r', '--parents', ...there, into], { cwd: from });
  run(['depmod', '-b', root, version]);
}

function prune(current) {
  const old = Date.now() - KEPT_DAYS * 86_400_000;
  for (const name of readdirSync(place)) {
    const path = join(place, name);
    if (path !== current && statSync(path).mtimeMs < old) rmSync(path, { recursive: true, force: true });
  }
}

function run(argv, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(argv[0], argv.slice(1), {
    ...{ encoding: 'utf8', maxBuffer: 2 ** 26, stdio: ['ignore', 'pipe', 'pipe'] },
    ...options,
  });
  if (status !== 0) {
    const why = (error?.message ?? `${stdout ?? ''}\n${stderr ?? ''}`).trim().slice(-2000);
    throw new Error(`"${argv.slice(0, 6).join(' ')}" failed: ${why}`);
  }
  return stdout;
}

function say(text) {
  console.log(`rig: ${text}`);
}
