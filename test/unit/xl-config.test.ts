import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyGuest, ownArguments, readGuest } from '../../src/stage/copy-guest.ts';
import { parseDisk } from '../../src/stage/disk-spec.ts';
import { formatXlValue, parseXlConfig, valueOf } from '../../src/stage/xl-config.ts';
import { mail } from '../support.ts';

const DEBIAN = `#
# Configuration file for the Xen instance mail-a, created by xen-tools
#
bootloader = 'pygrub'

vcpus       = '2'
memory      = 1024 # MiB
root        = '/dev/xvda2 ro'
disk        = [
                  'phy:/dev/vg0/mail-a-disk,xvda2,w',
                  'phy:/dev/vg0/mail-a-swap,xvda1,w', # swap
              ]
name        = 'mail-a'
uuid = "0e0c6b0e-2ba4-4f9e-8f39-ad0be73d7a2b"
vif         = [ 'ip=10.50.0.2,mac=00:16:3E:11:22:33,bridge=br-mail' ]
extra = "console=hvc0 ip=10.50.0.2::10.50.0.1:255.255.255.0:mail-a:eth0:off"
on_poweroff = 'destroy'; on_reboot = 'restart'
`;

const service = mail();
const [from, to] = service.domus;
const copied = (text: string, targets: [string, string][] = []): string =>
  copyGuest(readGuest(text, 'mail-a'), {
    from,
    to,
    vif: "vif = [ 'mac=00:16:3e:80:00:01,bridge=br-mail' ]",
    targets: new Map(targets),
    heading: ['made'],
  });

describe("a guest's configuration", () => {
  it('is read as xl reads it: quotes, numbers, lists over several lines, comments, several on a line', () => {
    const settings = parseXlConfig(DEBIAN);
    expect(settings.map(({ key }) => key)).toEqual([
      ...['bootloader', 'vcpus', 'memory', 'root', 'disk', 'name', 'uuid', 'vif', 'extra'],
      ...['on_poweroff', 'on_reboot'],
    ]);
    expect(valueOf(settings, 'memory')).toBe('1024');
    expect(valueOf(settings, 'disk')).toEqual([
      'phy:/dev/vg0/mail-a-disk,xvda2,w',
      'phy:/dev/vg0/mail-a-swap,xvda1,w',
    ]);
  });

  it('has the last word of a key that stands twice, and what is appended to it', () => {
    const settings = parseXlConfig('extra="a"\nextra="b"\nextra += " c"\ndisk=["x"]\ndisk+=["y"]\n');
    expect(valueOf(settings, 'extra')).toBe('b c');
    expect(valueOf(settings, 'disk')).toEqual(['x', 'y']);
  });

  it.each([
    ['name = mail', 'line 1: a string in quotes, a number or a list is expected, and there is "mail"'],
    ['memory = 1\nname "x"', 'line 2: = is expected, and there is'],
    ["disk = [ 'a' 'b' ]", 'line 1: , or ] is expected'],
    ["name = 'a\nb'", 'line 1: a string in quotes'],
    ["name = 'a' memory = 1", 'line 1: a new line or ; is expected'],
    ["disk = [ 'a',", 'there is the end'],
  ])('is refused with its line where xl would not read it: %s', (text, message) => {
    expect(() => parseXlConfig(text)).toThrow(message);
  });

  it('is read back whatever stands in its strings', () => {
    const text = fc.string().filter((each) => !each.includes('\n') && !each.includes('\0'));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 4 }), text, (list, one) => {
        const settings = parseXlConfig(`disk = ${formatXlValue(list)}\nname = ${formatXlValue(one)}\n`);
        expect(valueOf(settings, 'disk')).toEqual(list);
        expect(valueOf(settings, 'name')).toBe(one);
      }),
    );
  });
});

describe('a disk', () => {
  it.each([
    ['phy:/dev/vg0/a,xvda,w', '/dev/vg0/a', 'xvda', true, 'phy:/dev/new,xvda,w'],
    ['/dev/vg0/a,raw,xvda,rw', '/dev/vg0/a', 'xvda', true, '/dev/new,raw,xvda,rw'],
    ['/dev/vg0/a,,xvda', '/dev/vg0/a', 'xvda', true, '/dev/new,,xvda'],
    [
      'format=raw, vdev=xvda1, access=rw, target=/dev/vg0/a',
      '/dev/vg0/a',
      'xvda1',
      true,
      'format=raw, vdev=xvda1, access=rw, target=/dev/new',
    ],
    [
      'vdev=xvdb,access=r,target=/dev/vg0/a',
      '/dev/vg0/a',
      'xvdb',
      false,
      'vdev=xvdb,access=r,target=/dev/new',
    ],
    ['file:/srv/cd.iso,hdc:cdrom,r', '/srv/cd.iso', 'hdc', false, 'file:/dev/new,hdc:cdrom,r'],
    ['/srv/cd.iso,,hdc,cdrom', '/srv/cd.iso', 'hdc', false, '/dev/new,,hdc,cdrom'],
    [
      'backendtype=phy,vdev=xvda,discard,target=/dev/vg0/a,b',
      '/dev/vg0/a,b',
      'xvda',
      true,
      'backendtype=phy,vdev=xvda,discard,target=/dev/new',
    ],
    [' /dev/vg0/a , raw , xvda , ro ', '/dev/vg0/a', 'xvda', false, ' /dev/new , raw , xvda , ro '],
  ])('%s', (spec, target, device, writable, other) => {
    const disk = parseDisk(spec);
    expect(disk).toMatchObject({ target, device, writable });
    expect(disk.withTarget('/dev/new')).toBe(other);
  });

  it('without a name in the guest is none', () => {
    expect(() => parseDisk('/dev/vg0/a,raw')).toThrow('has no vdev');
  });
});

describe('a copy of a guest', () => {
  it('has its own name, vif, disks and kernel arguments, no uuid, and all else as it stood', () => {
    const text = copied(DEBIAN, [
      ['/dev/vg0/mail-a-disk', '/dev/vg0/mail-b_x'],
      ['/dev/vg0/mail-a-swap', '/dev/vg0/mail-b_y'],
    ]);
    const settings = parseXlConfig(text);
    const before = new Map(parseXlConfig(DEBIAN).map(({ key, value }) => [key, value]));
    expect(Object.fromEntries(settings.map(({ key, value }) => [key, value]))).toEqual({
      ...Object.fromEntries([...before].filter(([key]) => key !== 'uuid')),
      name: 'mail-b',
      vif: ['mac=00:16:3e:80:00:01,bridge=br-mail'],
      disk: ['phy:/dev/vg0/mail-b_x,xvda2,w', 'phy:/dev/vg0/mail-b_y,xvda1,w'],
      extra: 'console=hvc0 ip=10.50.0.3::10.50.0.1:255.255.255.0:mail-b:eth0:off',
    });
    expect(text).toMatch(/^# made\n#\n# Configuration file/);
    expect(text).toContain('memory      = 1024 # MiB');
  });

  it('is not made of another guest than was meant, nor of one with what only one can have', () => {
    expect(() => readGuest(DEBIAN, 'mail-b')).toThrow('it is of "mail-a", not of mail-b');
    expect(() => readGuest("name='mail-a'\npci=['07:00.0']", 'mail-a')).toThrow(
      'pci, which two guests cannot have',
    );
  });

  it('keeps disks that nobody replaces, and gets a vif where there was none', () => {
    expect(parseXlConfig(copied("name='mail-a'\ndisk=['/srv/cd.iso,,hdc,cdrom']"))).toMatchObject([
      { key: 'vif' },
      { key: 'name', value: 'mail-b' },
      { key: 'disk', value: ['/srv/cd.iso,,hdc,cdrom'] },
    ]);
  });

  it.each([
    ['rig.name=mail-a rig.ip=10.50.0.2/24', 'rig.name=mail-b rig.ip=10.50.0.3/24'],
    ['root=/dev/mapper/mail-a ro', 'root=/dev/mapper/mail-a ro'],
    ['ip=10.50.0.20 dns=110.50.0.2', 'ip=10.50.0.20 dns=110.50.0.2'],
    ['ip=[fd00:50::2]::[fd00:50::1]:64:mail-a', 'ip=[fd00:50::3]::[fd00:50::1]:64:mail-b'],
    [
      'systemd.hostname=mail-a hostname=mail-a.example.org',
      'systemd.hostname=mail-b hostname=mail-a.example.org',
    ],
    ['a  b', 'a  b'],
  ])('has kernel arguments of its own: %s', (line, own) => {
    expect(ownArguments(line, { from, to })).toBe(own);
  });
});
