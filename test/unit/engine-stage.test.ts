import { afterEach, describe, expect, it } from 'vitest';
import type { StageRecord } from '../../src/model/stage.ts';
import { ACTOR, Bench, definition } from './support/engine-bench.ts';
import { FakeStageHost } from './support/stage-host.ts';

const LIVE_CONFIG = `name = "mail-a"
memory = 256
disk = [ 'phy:/dev/vg0/mail-a,xvda,w', 'phy:/dev/vg0/mail-a-data,xvdb,w' ]
vif = [ 'mac=00:16:3e:00:00:01,bridge=br-mail' ]
`;
const DARK_CONFIG = '/etc/xen/mail-b.cfg';
const TO_SECONDARY = { services: ['mail'], to: 'secondary' } as const;
const WAIT = { wait: true };
const MINUTE = 60_000;
const DAY = 86_400_000;

let bench: Bench;
let host: FakeStageHost;
afterEach(() => bench.close());

/** A Dom0 with mail-a on two thin volumes, and a director that may make mail-b of it. */
async function open(stage: object | null = {}, config = LIVE_CONFIG): Promise<void> {
  const more = stage === null ? {} : { stage };
  bench = await Bench.open({
    services: { mail: definition('mail', 25, more) },
    stageHost: (clock) => (host = new FakeStageHost(clock)),
  });
  host.disk.set('/etc/xen/mail-a.cfg', config);
  host.volume('vg0', 'pool', { kind: 'pool', pool: null });
  host.volume('vg0', 'mail-a', { isOpen: true });
  host.volume('vg0', 'mail-a-data', { isOpen: true });
  host.hypervisor.start({ name: 'mail-a' });
  host.calls.length = 0;
}

const stage = (options = WAIT): Promise<StageRecord> => bench.engine.stage('mail', options, ACTOR);
const newest = (): StageRecord => bench.engine.stages({ limit: 1 })[0]!;
const domains = async (): Promise<string[]> =>
  (await host.hypervisor.domains()).map(({ name, state }) => `${name} ${state}`);

async function staged(): Promise<StageRecord> {
  await stage();
  await bench.settle();
  expect(newest()).toMatchObject({ state: 'staged', error: null });
  return newest();
}

async function unstaged(purge = false): Promise<StageRecord> {
  const { id } = await bench.engine.unstage('mail', { purge }, ACTOR);
  await bench.settle();
  return bench.engine.stageById(id);
}

async function confirmed(): Promise<void> {
  const { id } = await bench.engine.switchOver(TO_SECONDARY, ACTOR);
  await bench.engine.confirm(id, ACTOR);
}

describe('staging', () => {
  it('makes the dark DomU of snapshots of one moment, with its own configuration, and tells of it', async () => {
    await open();
    const journalBefore = bench.lastJournal();
    expect(await stage()).toMatchObject({ state: 'staging', domu: 'mail-b', from: 'mail-a' });
    await bench.settle();
    const { id, volumes } = newest();
    expect(volumes.map(({ name, check }) => [name, check?.verdict])).toEqual([
      ['mail-b_stage_20300101T000000_xvda', 'clean'],
      ['mail-b_stage_20300101T000000_xvdb', 'clean'],
    ]);
    expect(host.calls).toEqual([
      'later xl unpause mail-a (15000)',
      'pause mail-a',
      'snapshot vg0/mail-b_stage_20300101T000000_xvda',
      'snapshot vg0/mail-b_stage_20300101T000000_xvdb',
      'unpause mail-a',
      'later called off',
      `write ${DARK_CONFIG}`,
      `create ${DARK_CONFIG}`,
    ]);
    expect(host.disk.get(DARK_CONFIG)).toContain(id);
    expect(host.disk.get(DARK_CONFIG)).toContain('/dev/vg0/mail-b_stage_20300101T000000_xvdb,xvdb,w');
    expect(await domains()).toEqual(['mail-a running', 'mail-b running']);
    expect(bench.kindsAfter(journalBefore)).toEqual(['stage', 'staged']);
    expect(newest()).toMatchObject({ state: 'staged', left: [], error: null });
  });

  it('leaves a single volume its guest: one snapshot is of one moment anyway', async () => {
    await open({}, `name = 'mail-a'\ndisk = [ 'phy:/dev/vg0/mail-a,xvda,w' ]\n`);
    await staged();
    expect(host.calls.filter((call) => call.includes('pause'))).toEqual([]);
  });

  it('starts with the host where the live one does', async () => {
    await open();
    host.links.set('/etc/xen/auto/10-mail', '../mail-a.cfg');
    await staged();
    expect(host.links.get('/etc/xen/auto/mail-b.cfg')).toBe(DARK_CONFIG);
  });

  it('lets a program see to the volumes before the copy starts, and tells it of them', async () => {
    await open({ prepare: ['/usr/local/sbin/readdress', '--quick'] });
    await staged();
    const [, input = ''] =
      /^prepare \/usr\/local\/sbin\/readdress --quick < (.*)$/m.exec(host.calls.join('\n')) ?? [];
    expect(JSON.parse(input)).toMatchObject({
      service: 'mail',
      from: { name: 'mail-a', addresses: ['10.25.0.2'] },
      to: { name: 'mail-b', addresses: ['10.25.0.3/24'], gateways: ['10.25.0.1'] },
      volumes: [
        { target: 'xvda', device: '/dev/vg0/mail-b_stage_20300101T000000_xvda' },
        { target: 'xvdb', device: '/dev/vg0/mail-b_stage_20300101T000000_xvdb' },
      ],
      config: DARK_CONFIG,
    });
    expect(host.calls.at(-1)).toBe(`create ${DARK_CONFIG}`);
  });

  it('waits until it is healthy, and no longer than it may', async () => {
    await open({ healthyWithin: '1m' });
    bench.sick.add('10.25.0.3');
    await stage();
    await bench.settle();
    await bench.pass(30_000);
    expect(newest().state).toBe('staging');
    bench.sick.clear();
    await bench.pass(1000);
    expect(newest().state).toBe('staged');
  });

  it('does not wait where nobody wants that', async () => {
    await open();
    bench.sick.add('10.25.0.3');
    await stage({ wait: false });
    await bench.settle();
    expect(newest().state).toBe('staged');
  });

  it('lets nobody be switched to what is not there yet, not even by force', async () => {
    await open();
    bench.sick.add('10.25.0.3');
    await stage();
    await bench.settle();
    await expect(bench.engine.switchOver({ ...TO_SECONDARY, force: true }, ACTOR)).rejects.toThrow(
      'mail: mail-b is being staged; nothing was done',
    );
    await expect(stage()).rejects.toThrow('mail-b is being staged');
    await expect(bench.engine.destroyDomu('mail-b', ACTOR)).rejects.toThrow('mail-b is being staged');
  });
});

describe('a step that fails', () => {
  const FULL = { prepare: ['/bin/prepare'], healthyWithin: '10s' };
  it.each([
    ['pause', 0],
    ['snapshot', 0],
    ['snapshot', 1],
    ['unpause', 0],
    ['write', 0],
    ['prepare', 0],
    ['create', 0],
    ['link', 0],
  ])('leaves nothing behind: %s %i', async (call, n) => {
    await open(FULL);
    host.links.set('/etc/xen/auto/mail-a.cfg', '../mail-a.cfg');
    const before = await host.state();
    host.fault = (name, count) => (name === call && count === n ? 'refuse' : undefined);
    await stage();
    await bench.settle();
    expect(newest()).toMatchObject({ state: 'failed', error: `${call}: no`, made: [], left: [] });
    expect(await host.state()).toEqual(before);
    expect(bench.journalAfter(0).at(-1)).toMatchObject({ kind: 'stage-fail', services: ['mail'] });
    host.fault = () => undefined;
    await bench.pass(1000);
    await staged();
  });

  it('leaves nothing behind: a copy that is damaged is not started', async () => {
    await open();
    const before = await host.state();
    host.check = { verdict: 'damaged', text: 'ext4: e2fsck found errors' };
    await stage();
    await bench.settle();
    expect(newest()).toMatchObject({ state: 'failed' });
    expect(newest().error).toContain('xvda (vg0/mail-a) is damaged: ext4: e2fsck found errors');
    expect(newest().hint).toContain("the live DomU's own volume has the same errors");
    expect(await host.state()).toEqual(before);
  });

  it('leaves nothing behind: a copy that is never healthy; and what its console said last is told', async () => {
    await open({ healthyWithin: '10s' });
    const before = await host.state();
    bench.sick.add('10.25.0.3');
    await stage();
    await bench.settle();
    host.disk.set('/var/log/xen/console/guest-mail-b.log', 'booting\r\nno root device\r\n');
    await bench.pass(12_000);
    host.disk.delete('/var/log/xen/console/guest-mail-b.log');
    expect(newest().error).toMatch(
      /is not healthy: .*connection refused.* Its console said last: booting \| no root device/,
    );
    expect(newest().hint).toContain('--no-wait');
    expect(await host.state()).toEqual(before);
  });

  it('lets the live DomU go on before anything else is taken back', async () => {
    await open();
    host.fault = (name, n) => (name === 'snapshot' && n === 1 ? 'refuse' : undefined);
    await stage();
    await bench.settle();
    expect(host.calls.slice(-2)).toEqual([
      'unpause mail-a',
      'lvremove vg0/mail-b_stage_20300101T000000_xvda',
    ]);
  });

  it('is noticed at once where the copy crashes', async () => {
    await open();
    bench.sick.add('10.25.0.3');
    await stage();
    await bench.settle();
    await host.hypervisor.crash('mail-b');
    await bench.pass(1000);
    expect(newest()).toMatchObject({ state: 'failed' });
    expect(newest().error).toContain('it is crashed');
  });

  it('tells what it could not take away, and unstage tries again', async () => {
    await open();
    const before = await host.state();
    host.fault = (name) => (name === 'create' || name === 'lvremove' ? 'refuse' : undefined);
    await stage();
    await bench.settle();
    expect(newest().left).toEqual([
      'the volume vg0/mail-b_stage_20300101T000000_xvdb: lvremove: no',
      'the volume vg0/mail-b_stage_20300101T000000_xvda: lvremove: no',
    ]);
    await expect(stage()).rejects.toThrow('is staged already');
    host.fault = () => undefined;
    expect(await unstaged(true)).toMatchObject({ state: 'gone', made: [], left: [] });
    expect(await host.state()).toEqual(before);
  });

  it('never leaves the live DomU paused, and counts a pause that was too long as a failure', async () => {
    await open();
    const snapshot = host.volumes.snapshot.bind(host.volumes);
    host.volumes.snapshot = async (order) => {
      bench.clock.advance(6000);
      await snapshot(order);
    };
    await stage();
    await bench.settle();
    expect(newest().error).toContain('snapshots took 12000 ms while mail-a was paused');
    expect(await domains()).toEqual(['mail-a running']);
  });
});

describe('a director that dies while it stages', () => {
  const effects = ['pause', 'snapshot', 'unpause', 'write', 'prepare', 'create', 'link'];

  it('leaves what its successor takes away, whenever it dies', async () => {
    for (let death = 0; death < 8; death++) {
      await open({ prepare: ['/bin/prepare'] });
      host.links.set('/etc/xen/auto/mail-a.cfg', '../mail-a.cfg');
      const before = await host.state();
      let n = 0;
      host.fault = (name) => (effects.includes(name) && n++ === death ? 'die' : undefined);
      host.kill = () => bench.kill();
      await stage();
      await bench.settle();
      expect(bench.dead, `death ${death}`).toBe(true);
      host.fault = () => undefined;
      await bench.start();
      await bench.pass(1000);
      expect(newest(), `death ${death}`).toMatchObject({
        state: 'failed',
        error: 'the director ended meanwhile',
        made: [],
      });
      expect(await host.state(), `death ${death}`).toEqual(before);
      await staged();
      bench.close();
    }
  });

  it('lets nobody be switched before that is done, and goes on with what was being taken away', async () => {
    await open();
    await staged();
    host.fault = (name) => (name === 'rm' ? 'die' : undefined);
    host.kill = () => bench.kill();
    await bench.engine.unstage('mail', { purge: false }, ACTOR);
    await bench.settle();
    expect(bench.dead).toBe(true);
    host.fault = () => undefined;
    await bench.start();
    await bench.settle();
    expect(newest().state).toBe('kept');
    expect(await domains()).toEqual(['mail-a running']);
    expect(host.disk.has(DARK_CONFIG)).toBe(false);
  });

  it('that is stopped takes back what it had begun', async () => {
    await open();
    const before = await host.state();
    bench.sick.add('10.25.0.3');
    await stage();
    await bench.settle();
    await bench.engine.stop();
    expect(newest()).toMatchObject({ state: 'failed', error: 'it was called off' });
    expect(await host.state()).toEqual(before);
  });
});

describe('what cannot be staged is refused before anything is done', () => {
  const refused = async (message: string | RegExp): Promise<void> => {
    await expect(stage()).rejects.toThrow(message);
    expect(host.calls).toEqual([]);
    expect(bench.engine.stages({ limit: 10 })).toEqual([]);
    // Nothing is reserved either.
    await bench.engine.switchOver({ ...TO_SECONDARY, force: true }, ACTOR);
  };

  it('a service whose configuration does not say how', async () => {
    await open(null);
    await refused('the configuration does not say how mail is staged');
  });
  it('a DomU that is there', async () => {
    await open();
    host.hypervisor.start({ name: 'mail-b' });
    await refused('mail-b is there already (running, domid 2)');
  });
  it('over a configuration that is not ours', async () => {
    await open();
    host.disk.set(DARK_CONFIG, 'name = "mail-b"');
    await refused(`${DARK_CONFIG} is there already, and nothing is written over`);
  });
  it('a live DomU without a configuration', async () => {
    await open();
    host.disk.clear();
    await refused('there is no /etc/xen/mail-a.cfg');
  });
  it('a disk that is no volume', async () => {
    await open({}, `name = 'mail-a'\ndisk = [ 'file:/srv/mail-a.img,xvda,w' ]`);
    await refused("mail-a's disk xvda: /srv/mail-a.img is no logical volume of LVM");
  });
  it('a thick snapshot', async () => {
    await open();
    host.lvs = host.lvs.map((volume) => ({
      ...volume,
      kind: volume.kind === 'thin' ? 'snapshot' : volume.kind,
    }));
    await refused('vg0/mail-a is a thick snapshot itself');
  });
  it('a pool that is nearly full, which would stop the live DomU', async () => {
    await open();
    host.lvs = host.lvs.map((volume) => (volume.name === 'pool' ? { ...volume, filled: 90 } : volume));
    await refused('its pool vg0/pool is 90 % full');
  });
  it('a service on trial', async () => {
    await open();
    await bench.engine.switchOver(TO_SECONDARY, ACTOR);
    await expect(stage()).rejects.toThrow('mail is on trial');
  });
  it('on a host without Xen', async () => {
    bench = await Bench.open({ services: { mail: definition('mail', 25, { stage: {} }) } });
    await expect(stage()).rejects.toThrow('no DomU can be started here: it is a test');
  });
});

describe('unstaging', () => {
  it('takes the DomU away, and keeps its volumes for their time', async () => {
    await open({ keep: { count: 1, for: '2d' } });
    const before = await host.state();
    await staged();
    expect(await unstaged()).toMatchObject({ state: 'kept' });
    expect(await domains()).toEqual(['mail-a running']);
    expect(host.disk.has(DARK_CONFIG)).toBe(false);
    expect(host.lvs).toHaveLength(5);
    await bench.pass(DAY);
    expect(host.lvs).toHaveLength(5);
    await bench.pass(DAY + 2 * 60 * MINUTE);
    expect(newest()).toMatchObject({ state: 'gone', made: [] });
    expect(await host.state()).toEqual(before);
  });

  it('keeps no more than so many, the newest', async () => {
    await open({ keep: { count: 1, for: '30d' } });
    await staged();
    await unstaged();
    await bench.pass(MINUTE);
    const { id } = await staged();
    await unstaged();
    await bench.pass(2 * 60 * MINUTE);
    expect(bench.engine.stages({ limit: 10 }).map(({ state }) => state)).toEqual(['kept', 'gone']);
    expect(newest().id).toBe(id);
    expect(host.lvs).toHaveLength(5);
  });

  it('removes all of it at once where that is asked for, what was kept before, too', async () => {
    await open();
    const before = await host.state();
    await staged();
    await unstaged();
    expect(await unstaged(true)).toMatchObject({ state: 'gone' });
    expect(await host.state()).toEqual(before);
  });

  it('never removes what somebody uses', async () => {
    await open({ keep: { count: 0, for: '1d' } });
    await staged();
    const { id } = newest();
    const used = { ...host.lvs.at(-1)! };
    host.hypervisor.destroy = () => Promise.resolve(true);
    const { state } = await bench.engine.unstage('mail', { purge: false }, ACTOR);
    expect(state).toBe('unstaging');
    for (let tries = 0; tries < 60 && bench.engine.stageById(id).state === 'unstaging'; tries++)
      await bench.pass(500);
    expect(bench.engine.stageById(id)).toMatchObject({ state: 'failed' });
    expect(bench.engine.stageById(id).left).toContain(
      `the volume vg0/${used.name}: vg0/${used.name} is in use`,
    );
    expect(host.lvs).toHaveLength(5);
  });

  it('is refused while the service is on trial, and once the copy is what customers are on', async () => {
    await open();
    await staged();
    const { id } = await bench.engine.switchOver(TO_SECONDARY, ACTOR);
    await expect(unstaged()).rejects.toThrow('mail is on trial');
    await expect(unstaged(true)).rejects.toThrow('mail is on trial');
    await bench.engine.confirm(id, ACTOR);
    await expect(unstaged()).rejects.toThrow('mail-b is live');
    await expect(unstaged(true)).rejects.toThrow('mail-b is live');
    expect(await domains()).toEqual(['mail-a running', 'mail-b running']);
  });

  it('removes nothing that was kept while the service is on trial', async () => {
    await open({ keep: { count: 1, for: '1d' } });
    await staged();
    await unstaged();
    host.hypervisor.start({ name: 'mail-b' });
    const { id } = await bench.engine.switchOver({ ...TO_SECONDARY, confirmWithin: null }, ACTOR);
    await bench.pass(3 * DAY);
    expect(host.lvs).toHaveLength(5);
    await bench.engine.rollback(id, ACTOR);
    await bench.pass(2 * 60 * MINUTE);
    expect(host.lvs).toHaveLength(3);
  });

  it('calls off what is still being made', async () => {
    await open();
    const before = await host.state();
    bench.sick.add('10.25.0.3');
    await stage();
    await bench.settle();
    expect(await unstaged()).toMatchObject({ state: 'failed', error: 'it was called off' });
    expect(await host.state()).toEqual(before);
  });

  it('says so where there is nothing', async () => {
    await open();
    await expect(unstaged()).rejects.toThrow('nothing of mail is staged');
  });
});

describe('the next version', () => {
  it("is staged from the copy that stayed, and what the old one runs on is nobody's to remove", async () => {
    await open();
    await staged();
    await confirmed();
    await expect(stage()).rejects.toThrow('mail-a is there already');
    await bench.engine.destroyDomu('mail-a', ACTOR);
    host.disk.delete('/etc/xen/mail-a.cfg');
    await bench.pass(MINUTE);
    const { from, domu, volumes } = await staged();
    expect([from, domu]).toEqual(['mail-b', 'mail-a']);
    expect(volumes.map(({ origin }) => origin)).toEqual([
      'mail-b_stage_20300101T000000_xvda',
      'mail-b_stage_20300101T000000_xvdb',
    ]);
    expect(host.lvs.filter(({ name }) => ['mail-a', 'mail-a-data'].includes(name))).toHaveLength(2);
  });
});

describe('ending a DomU', () => {
  it('is refused for the live one, and for both of a service on trial', async () => {
    await open();
    await staged();
    await expect(bench.engine.destroyDomu('mail-a', ACTOR)).rejects.toThrow('mail-a is live');
    const { id } = await bench.engine.switchOver(TO_SECONDARY, ACTOR);
    for (const domu of ['mail-a', 'mail-b'])
      await expect(bench.engine.destroyDomu(domu, ACTOR)).rejects.toThrow('mail is on trial');
    await bench.engine.rollback(id, ACTOR);
    await bench.engine.destroyDomu('mail-b', ACTOR);
    expect(await domains()).toEqual(['mail-a running']);
    await expect(bench.engine.destroyDomu('mail-b', ACTOR)).rejects.toThrow('mail-b does not run');
    await expect(bench.engine.destroyDomu('other', ACTOR)).rejects.toThrow('no service has a DomU "other"');
  });

  it('is listed with what Xen says, and what made it', async () => {
    await open();
    expect(await bench.engine.domus()).toMatchObject([
      { domu: 'mail-a', role: 'primary', live: true, state: 'running', domid: 1, stage: null },
      { domu: 'mail-b', role: 'secondary', live: false, state: 'absent', domid: null, stage: null },
    ]);
    const { id } = await staged();
    expect(await bench.engine.domus()).toMatchObject([{}, { state: 'running', domid: 2, stage: id }]);
  });

  it('a console is what was written down, or why there is none', async () => {
    await open();
    await expect(bench.engine.domuConsole('mail-a', 5)).rejects.toThrow(
      'nobody writes down what mail-a says',
    );
    host.disk.set('/var/log/xen/console/guest-mail-a.log', 'a\nb\nc\n');
    expect(await bench.engine.domuConsole('mail-a', 2)).toEqual(['b', 'c']);
  });
});
