import { expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { StageView } from '../../src/api/contract.ts';
import type { Directed } from './support/directed.ts';
import { createGuest } from './support/guests.ts';
import { onFreshDom0 } from './support/scenario.ts';
import { CONFIG_FILE, guestConfig, MAIL as mail } from './support/topology.ts';

const DARK_CONFIG = guestConfig('mail-b');
/** What the next version's installation is here: it writes on the copy, before that is started. */
const PREPARE = `#!/bin/sh
set -e
device=$(sed 's/.*"device":"\\([^"]*\\)".*/\\1/')
mount "$device" /mnt
echo 2.0 >/mnt/VERSION
umount /mnt
`;
const LATE = `#!/bin/sh\ntouch /run/late\nexec sleep 600\n`;
const MKFS = ['mkfs.ext4', '-q', '-F'];

/** A volume group on a file, with a pool of thin volumes. */
async function makeGroup(dom0: Directed): Promise<void> {
  await dom0.must(['truncate', '-s', '600M', '/var/tmp/pv']);
  const loop = (await dom0.must(['losetup', '--find', '--show', '/var/tmp/pv'])).trim();
  await dom0.must(['vgcreate', 'vg0', loop]);
  await dom0.must(['lvcreate', '--type', 'thin-pool', '--size', '200M', '--name', 'pool', 'vg0']);
}

/** mail-a serves what stands on its disk. mail-b is not there. */
async function putOnVolume(dom0: Directed, create: readonly string[]): Promise<void> {
  await dom0.must(['lvcreate', '--yes', ...create, '--name', 'mail-a', 'vg0']);
  await dom0.must([...MKFS, '/dev/vg0/mail-a']);
  await dom0.must(['mount', '/dev/vg0/mail-a', '/mnt']);
  await dom0.write('/mnt/VERSION', '1.0-on-disk\n');
  await dom0.must(['umount', '/mnt']);
  const config = guestConfig('mail-a');
  await dom0.write(config, `${await dom0.read(config)}disk = [ 'phy:/dev/vg0/mail-a,xvda,w' ]\n`);
  await dom0.must(['xl', 'destroy', 'mail-a']);
  await createGuest(dom0, 'mail-a');
  await dom0.api('POST', '/v1/domus/mail-b/destroy');
  await dom0.must(['mv', DARK_CONFIG, `${DARK_CONFIG}.before`]);
  await dom0.health('mail', 'mail-a', 'healthy');
}

async function configure(dom0: Directed, stage: Record<string, unknown>): Promise<void> {
  const config = parse(await dom0.read(CONFIG_FILE)) as { services: Record<string, object> };
  config.services['mail'] = {
    ...config.services['mail'],
    stage: { healthyWithin: '10m', quiesceFor: '5m', ...stage },
  };
  await dom0.write(CONFIG_FILE, stringify(config));
  await dom0.api('POST', '/v1/reload');
}

/** What somebody would find of it: volumes, guests, configurations. */
async function traces(dom0: Directed): Promise<string[]> {
  const said = await Promise.all([
    dom0.must(['lvs', '--noheadings', '-o', 'lv_name,lv_tags']),
    dom0.must(['ls', '/etc/xen']),
  ]);
  const guests = (await dom0.must(['xl', 'list'])).split('\n').map((line) => line.split(' ')[0] ?? '');
  return [...said.flatMap((text) => text.split('\n').map((line) => line.trim())), ...guests.toSorted()];
}

/** Without the guest: what is on the volume itself, its journal applied or not. */
const versionOn = async (dom0: Directed, device: string): Promise<string> =>
  (await dom0.must(['debugfs', '-R', 'cat /VERSION', device])).trim();

const newest = async (dom0: Directed): Promise<StageView> =>
  ((await dom0.api('GET', '/v1/stages?limit=1')) as StageView[])[0]!;

it(
  'the dark DomU is made from the live one, is the new version on its own data, and the old data is untouched',
  onFreshDom0(async ({ dom0 }) => {
    await makeGroup(dom0);
    await putOnVolume(dom0, ['--virtualsize', '64M', '--thinpool', 'pool']);
    await dom0.write('/usr/local/sbin/prepare', PREPARE, '755');
    await configure(dom0, { prepare: ['/usr/local/sbin/prepare'] });
    const before = await traces(dom0);

    const told = await dom0.order('stage', 'mail');
    expect(told).toContain('mail-b is made from mail-a, and dark');
    const { volumes, id } = await newest(dom0);
    expect(volumes).toMatchObject([{ target: 'xvda', origin: 'vg0/mail-a', thin: true, isThere: true }]);
    expect(['clean', 'unclear']).toContain(volumes[0]?.check?.verdict);
    expect(await dom0.order('domu', 'list')).toMatch(
      new RegExp(`^mail-b +mail +secondary +dark +running +\\d+ +${id}$`, 'm'),
    );
    expect(await dom0.ask('tester', mail.ipv4, 25)).toMatchObject({ domu: 'mail-b', version: '2.0' });
    expect(await dom0.ask('customer', mail.ipv4, 25)).toMatchObject({
      domu: 'mail-a',
      version: '1.0-on-disk',
    });
    expect(await dom0.order('domu', 'console', 'mail-b')).toContain('mail-b is up');

    const { id: trial } = await dom0.switch(['mail']);
    expect(await dom0.ask('customer', mail.ipv4, 25)).toMatchObject({ domu: 'mail-b', version: '2.0' });
    for (const command of [
      ['unstage', 'mail'],
      ['domu', 'destroy', 'mail-b', '--yes'],
    ])
      expect(await dom0.director(...command)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('on trial') as string,
      });
    await dom0.api('POST', `/v1/switches/${trial}/rollback`);
    expect(await dom0.ask('customer', mail.ipv4, 25)).toMatchObject({
      domu: 'mail-a',
      version: '1.0-on-disk',
    });
    expect(await versionOn(dom0, volumes[0]!.device)).toBe('2.0');
    expect(await versionOn(dom0, '/dev/vg0/mail-a')).toBe('1.0-on-disk');

    await dom0.order('unstage', 'mail');
    expect(await newest(dom0)).toMatchObject({ state: 'kept', volumes: [{ isThere: true }] });
    await dom0.order('unstage', 'mail', '--purge');
    expect(await newest(dom0)).toMatchObject({ state: 'gone', volumes: [{ isThere: false }] });
    expect(await traces(dom0)).toEqual(before);
  }),
);

it(
  'a step that fails, and a director that is killed in it, leave nothing behind, on thick volumes too',
  onFreshDom0(async ({ dom0 }) => {
    await makeGroup(dom0);
    await putOnVolume(dom0, ['--size', '64M']);
    const before = await traces(dom0);

    await configure(dom0, { prepare: ['/bin/false'] });
    expect(await dom0.director('stage', 'mail')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('mail-b: /bin/false failed (1)') as string,
    });
    expect(await traces(dom0)).toEqual(before);

    await dom0.write('/usr/local/sbin/late', LATE, '755');
    await configure(dom0, { prepare: ['/usr/local/sbin/late'] });
    await dom0.api('POST', '/v1/services/mail/stage');
    await dom0.until(
      'it is being prepared',
      async () => (await dom0.run(['test', '-e', '/run/late'])).code === 0,
    );
    expect(await traces(dom0)).not.toEqual(before);
    await dom0.must(['systemctl', 'kill', '--kill-whom=main', '--signal=KILL', 'dom0-director']);
    await dom0.until('its successor has taken it back', async () => (await newest(dom0)).state === 'failed');
    expect(await newest(dom0)).toMatchObject({ error: 'the director ended meanwhile', left: [] });
    expect(await traces(dom0)).toEqual(before);
  }),
);
