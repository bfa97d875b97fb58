import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StageView } from '../../src/api/contract.ts';
import { cli, FakeDaemon } from './support/cli.ts';

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await new FakeDaemon().start();
});
afterEach(() => daemon.destroy());

const run = (line: string, more: Parameters<typeof cli>[1] = {}) =>
  cli(line.split(' '), { socket: daemon.socket, ...more });

function view(changes: Partial<StageView> = {}): StageView {
  return {
    id: 'st-1',
    service: 'mail',
    domu: 'mail-b',
    from: 'mail-a',
    state: 'staging',
    doing: 'it begins',
    startedAt: '2026-11-23T03:12:44.000Z',
    endedAt: null,
    volumes: [
      {
        device: '/dev/vg0/mail-b_stage_x_xvda',
        target: 'xvda',
        origin: 'vg0/mail-a',
        thin: true,
        isThere: true,
        check: { verdict: 'clean', text: 'ext4, clean (e2fsck)' },
      },
    ],
    error: null,
    hint: null,
    left: [],
    notes: [],
    by: 'alice (socket)',
    reason: null,
    ...changes,
  };
}

/** What GET answers, one after another; the last one again and again. */
function goesOn(...views: StageView[]): void {
  let at = 0;
  daemon.on('GET /v1/stages/st-1', (_seen, response) => {
    response.end(JSON.stringify(views[Math.min(at++, views.length - 1)]));
  });
}

const STAGED = view({ state: 'staged', doing: 'it is there', notes: ['Mind the queue.'] });

describe('stage', () => {
  it('tells each step, and in the end where the copy is and what is next', async () => {
    daemon.answer('POST', 202, view());
    goesOn(view({ doing: 'mail-b is started' }), view({ doing: 'mail-b is started' }), STAGED);
    const { code, out, err } = await run('stage mail --reason 2.0');
    expect([code, err]).toEqual([0, '']);
    expect(out.split('\n')).toEqual([
      '  it begins',
      '  mail-b is started',
      'mail-b is made from mail-a, and dark: testers and administrators reach it.',
      '  xvda: /dev/vg0/mail-b_stage_x_xvda; ext4, clean (e2fsck)',
      '  Mind the queue.',
      'Install the next version on it, then "director testing mail open", and "director switch mail --to secondary".',
      '',
    ]);
    expect(daemon.seen[0]).toMatchObject({ path: '/v1/services/mail/stage', body: { reason: '2.0' } });
  });

  it('that fails ends with 1, says why, what state things are in and what to do', async () => {
    daemon.answer('POST', 202, view());
    goesOn(
      view({ state: 'failed', error: 'lvcreate failed: no room', hint: '"vgs" tells how much is left' }),
    );
    expect(await run('stage mail')).toMatchObject({
      code: 1,
      err: 'director: mail-b: lvcreate failed: no room. Nothing is left of it.\n  "vgs" tells how much is left\n',
    });
    goesOn(view({ state: 'failed', error: 'no', left: ['the volume vg0/x: it is in use'] }));
    expect((await run('stage mail')).err).toContain('What is left of it: the volume vg0/x: it is in use.');
  });

  it('asks for what it is told alone', async () => {
    daemon.answer('POST', 202, STAGED);
    await run('stage mail');
    await run('stage mail --no-wait');
    expect(daemon.seen.map(({ body }) => body)).toEqual([{}, { wait: false }]);
    expect((await run('stage')).code).toBe(2);
  });

  it('prints the stage as it ended, and nothing else, for --json', async () => {
    daemon.answer('POST', 202, view());
    goesOn(STAGED);
    const { out } = await run('stage mail --json');
    expect(JSON.parse(out)).toEqual(STAGED);
  });

  it('lists what was staged with what is there of it', async () => {
    const left = view({ id: 'st-2', state: 'failed', left: ['the volume vg0/y: in use'], volumes: [] });
    daemon.answer('GET', 200, [STAGED, left]);
    const { out } = await run('stage --list mail');
    expect(daemon.calls()).toEqual(['GET /v1/stages?limit=50&service=mail']);
    expect(out).toMatch(
      /^st-1 +mail +mail-b +mail-a +staged +\S+ +\/dev\/vg0\/mail-b_stage_x_xvda \(clean\)$/m,
    );
    expect(out).toMatch(/^st-2 .* failed +\S+ +left: the volume vg0\/y: in use$/m);
  });
});

describe('unstage', () => {
  it.each([
    ['unstage mail', '/v1/services/mail/stage', 'kept', 'Kept for a time: /dev/vg0/mail-b_stage_x_xvda'],
    [
      'unstage mail --purge',
      '/v1/services/mail/stage?purge=true',
      'gone',
      'mail-b is gone, and its volumes.',
    ],
  ] as const)('%s', async (line, path, state, told) => {
    daemon.answer('DELETE', 202, view({ state: 'unstaging', doing: 'mail-b is taken away' }));
    goesOn(view({ state }));
    const { code, out } = await run(line);
    expect(code).toBe(0);
    expect(out).toContain(told);
    expect(daemon.calls()[0]).toBe(`DELETE ${path}`);
  });
});

describe('domu', () => {
  it('list shows what Xen says', async () => {
    const row = { service: 'mail', role: 'primary', live: true, state: 'running', domid: 3, stage: null };
    daemon.answer('GET', 200, [
      { domu: 'mail-a', ...row },
      { domu: 'mail-b', ...row, role: 'secondary', live: false, state: 'absent', domid: null },
    ]);
    const { out } = await run('domu list');
    expect(out).toMatch(/^mail-a +mail +primary +live +running +3$/m);
    expect(out).toMatch(/^mail-b +mail +secondary +dark +absent$/m);
  });

  it('console prints its last lines, and nothing in them can command the terminal', async () => {
    daemon.answer('GET', 200, { domu: 'mail-b', lines: ['boot', '\u001b[2J\u001b]0;x\u0007login:'] });
    const { out } = await run('domu console mail-b -n 2');
    expect(daemon.calls()).toEqual(['GET /v1/domus/mail-b/console?lines=2']);
    expect(out).toBe('boot\n\ufffd[2J\ufffd]0;x\ufffdlogin:\n');
  });

  it('destroy is asked for twice, or told --yes', async () => {
    daemon.answer('POST', 204);
    expect(await run('domu destroy mail-b')).toMatchObject({ code: 2 });
    expect(daemon.calls()).toEqual([]);
    expect((await run('domu destroy mail-b --yes --reason hangs')).out).toBe('mail-b is ended.\n');
    expect(daemon.seen[0]).toMatchObject({ path: '/v1/domus/mail-b/destroy', body: { reason: 'hangs' } });
  });

  it.each(['domu', 'domu console', 'domu stop mail-b', 'domu console ../x'])(
    '%s is bad usage',
    async (line) => {
      expect((await run(line)).code).toBe(2);
    },
  );
});
