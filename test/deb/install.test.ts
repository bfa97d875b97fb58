import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { BUILD_WITHIN, built } from './support/build.ts';
import { Machine } from './support/machine.ts';

/** The guests need not be there. */
const CONFIG = `
uplink: eth0
services:
  mail:
    addresses: [192.0.2.25]
    ports: [25/tcp, 514/udp]
    bridge: { name: br-mail, gateway: [10.50.0.1/24] }
    domus:
      - { name: mail-a, addresses: [10.50.0.2] }
      - { name: mail-b, addresses: [10.50.0.3] }
    health: { check: off }
`;
const CONFIG_FILE = '/etc/dom0-director/director.yaml';
const UNIT = 'dom0-director';
const WITHIN = { timeout: 60_000, interval: 200 };
const PATIENCE = { timeout: 240_000 };

let machine: Machine;
let deb = '';

beforeAll(async () => {
  machine = await Machine.boot();
  deb = await machine.take(await built());
  await machine.must(['ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'wire']);
  for (const link of ['lo', 'wire', 'eth0']) await machine.must(['ip', 'link', 'set', link, 'up']);
}, BUILD_WITHIN);

afterAll(() => machine.end());

const mainPid = (): Promise<string> => machine.property(UNIT, 'MainPID');
const systemctl = (...args: string[]): Promise<string> => machine.must(['systemctl', ...args]);
/** What the kernel has been given, without its counters and the time. */
const rules = async (): Promise<string> =>
  (await machine.must(['iptables-save'])).replaceAll(/^#.*$/gm, '').replaceAll(/\[\d+:\d+\]/g, '');
const director = (...args: string[]): Promise<string> => machine.must(['director', ...args]);
async function phase(): Promise<string> {
  const views = JSON.parse(await director('status', '--json')) as { phase: string }[];
  return views.map((view) => view.phase).join();
}

async function comesBackAfter(what: () => Promise<unknown>): Promise<void> {
  const before = await mainPid();
  await what();
  await vi.waitUntil(async () => {
    const now = await mainPid();
    return now !== before && now !== '0' && (await machine.property(UNIT, 'ActiveState')) === 'active';
  }, WITHIN);
}

it('installed, it directs nothing before somebody has written a configuration', PATIENCE, async () => {
  const said = await machine.must(['dpkg', '--install', deb]);
  expect(said).toContain('nothing is directed yet');
  expect((await systemctl('is-enabled', UNIT)).trim()).toBe('enabled');
  expect(await machine.property(UNIT, 'ActiveState')).toBe('inactive');
  expect((await machine.run(['systemctl', '--failed', '--quiet'])).stdout).toBe('');
  expect(await director('--version')).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(await director('check', '/usr/share/doc/dom0-director/examples/director.yaml')).toContain(
    'is right',
  );
});

it('it has begun when the kernel directs, and says how it is', PATIENCE, async () => {
  await machine.write(CONFIG_FILE, CONFIG);
  await systemctl('start', UNIT);
  expect(await rules()).toContain(':DIR-mail ');
  expect(await machine.property(UNIT, 'StatusText')).toBe('directing 1 service');
});

it('members of its group may switch, and nobody else may', PATIENCE, async () => {
  const as = (group: string) =>
    machine.run(['setpriv', '--reuid=nobody', '--regid=nogroup', `--groups=${group}`, 'director', 'plan']);
  expect((await as('dom0-director')).code).toBe(0);
  expect((await as('nogroup')).code).not.toBe(0);
});

it(
  'its unit has the rights for all that it does, down to measuring what a plain bridge costs',
  PATIENCE,
  async () => {
    await vi.waitUntil(async () => (await director('cpu')).includes('(measured here'), WITHIN);
    expect(await director('cpu')).toContain('timing packets at hooks');
    const log = await machine.must(['journalctl', '--unit', UNIT, '--output=cat']);
    expect(log).not.toMatch(/denied|not permitted|read-only/i);
  },
);

it('its unit has no rights to be ashamed of', PATIENCE, async () => {
  const { code, stdout } = await machine.run([
    'systemd-analyze',
    'security',
    '--threshold=40',
    `${UNIT}.service`,
  ]);
  expect({ code, told: stdout.trim().split('\n').at(-1) }).toMatchObject({ code: 0 });
  const verified = await machine.run(['systemd-analyze', 'verify', `/lib/systemd/system/${UNIT}.service`]);
  expect(verified.stderr).toBe('');
  const inside = ['nsenter', '--target', await mainPid(), '--mount'];
  for (const path of ['/etc/x', '/usr/x', '/home/x', '/proc/sys/kernel/core_pattern'])
    expect((await machine.run([...inside, 'sh', '-c', `echo x > ${path}`])).code).not.toBe(0);
});

it('a reload with a wrong file fails with every fault, and changes nothing', PATIENCE, async () => {
  const before = await rules();
  await machine.write(CONFIG_FILE, `${CONFIG}nonsense: 1\n`);
  expect((await machine.run(['systemctl', 'reload', UNIT])).code).not.toBe(0);
  const log = await machine.must(['journalctl', '--unit', UNIT, '--output=cat', '--lines=5']);
  expect(log).toContain('"nonsense" is not known here');
  expect(await rules()).toBe(before);
  await machine.write(CONFIG_FILE, CONFIG.replaceAll('mail', 'post'));
  await systemctl('reload', UNIT);
  await vi.waitUntil(async () => (await rules()).includes(':DIR-post '), WITHIN);
  await machine.write(CONFIG_FILE, CONFIG);
  await systemctl('reload', UNIT);
  await vi.waitUntil(async () => (await rules()).includes(':DIR-mail '), WITHIN);
});

it(
  'one that was killed, and one that hangs, is started again, and the kernel directs meanwhile',
  PATIENCE,
  async () => {
    const before = await rules();
    await comesBackAfter(() => systemctl('kill', '--kill-whom=main', '--signal=KILL', UNIT));
    expect(await rules()).toBe(before);
    await machine.must(['mkdir', '-p', `/run/systemd/system/${UNIT}.service.d`]);
    await machine.write(`/run/systemd/system/${UNIT}.service.d/soon.conf`, '[Service]\nWatchdogSec=3s\n');
    await systemctl('daemon-reload');
    await systemctl('restart', UNIT);
    await comesBackAfter(async () => machine.must(['kill', '-STOP', await mainPid()]));
    expect(await rules()).toBe(before);
    await machine.must(['rm', '-r', `/run/systemd/system/${UNIT}.service.d`]);
    await systemctl('daemon-reload');
  },
);

it(
  'what is left to be ended at a deadline outlives a stop, and the next one starts beside it',
  PATIENCE,
  async () => {
    await director('switch', 'mail', '--to', 'secondary', '--confirm-within', '10m');
    const tasks = async (): Promise<string> =>
      machine.must([
        'sh',
        '-c',
        `cat /sys/fs/cgroup/system.slice/${UNIT}.service/cgroup.procs 2>/dev/null || true`,
      ]);
    await systemctl('stop', UNIT);
    const [left = ''] = (await tasks()).trim().split('\n');
    expect(await machine.must(['cat', `/proc/${left}/comm`])).toBe('perl\n');
    await systemctl('start', UNIT);
    expect(await phase()).toBe('trial');
    // It goes when it sees that another director is there.
    await vi.waitUntil(async () => !(await tasks()).split('\n').includes(left), WITHIN);
  },
);

it('an upgrade starts the new one, and trials stay as they are', PATIENCE, async () => {
  const before = await rules();
  await comesBackAfter(() => machine.must(['dpkg', '--install', deb]));
  expect(await phase()).toBe('trial');
  expect(await rules()).toBe(before);
});

it('guests of a booting host start when the kernel directs, and no sooner', PATIENCE, async () => {
  await machine.write(
    '/etc/systemd/system/xendomains.service',
    '[Service]\nType=oneshot\nExecStart=/bin/sh -c "iptables-save > /run/when-guests-start"\n',
  );
  await machine.write(
    '/etc/systemd/system/boot.target',
    `[Unit]\nWants=xendomains.service ${UNIT}.service\n`,
  );
  await systemctl('daemon-reload');
  await director('teardown', '--yes');
  await systemctl('stop', UNIT);
  expect(await rules()).not.toContain('DIR-mail');
  await systemctl('start', 'boot.target');
  await vi.waitUntil(
    async () =>
      (await machine.property('xendomains', 'Result')) === 'success' &&
      (await machine.run(['test', '-s', '/run/when-guests-start'])).code === 0,
    WITHIN,
  );
  expect(await machine.must(['cat', '/run/when-guests-start'])).toContain(':DIR-mail ');
});

it(
  'removed, it leaves the kernel directing and says so; purged, it leaves only what the administrator wrote',
  PATIENCE,
  async () => {
    const before = await rules();
    expect(await machine.must(['dpkg', '--remove', UNIT])).toContain('goes on directing');
    expect(await rules()).toBe(before);
    await machine.must(['test', '-e', '/var/lib/dom0-director/director.sqlite']);
    expect(await machine.must(['dpkg', '--purge', UNIT])).toContain('still in the kernel');
    expect(await rules()).toBe(before);
    expect((await machine.run(['test', '-e', '/var/lib/dom0-director'])).code).toBe(1);
    await machine.must(['test', '-e', CONFIG_FILE]);
    const left = await machine.must([
      'find',
      '/usr',
      '/lib/systemd',
      '/etc',
      '/run',
      '-name',
      '*director*',
      '-newer',
      '/etc/systemd/system/alone.target',
    ]);
    expect(left.split('\n').filter((path) => path !== '' && !path.startsWith('/etc/dom0-director'))).toEqual(
      [],
    );
  },
);
