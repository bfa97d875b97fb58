import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeDaemon, cli, picture } from './support/cli.ts';

const run = (line: string, more: Parameters<typeof cli>[1] = {}) => cli(line.split(' '), more);

describe('commands that are no calls', () => {
  it('serve hands its exit code on', async () => {
    const local = { serve: ({ config }: { config: string }) => Promise.resolve(config === 'a.yaml' ? 7 : 0) };
    expect((await run('serve --config a.yaml', { local })).code).toBe(7);
  });

  it('lab is given its tour and what else was said', async () => {
    const seen: unknown[] = [];
    const local = {
      lab: (options: unknown) => {
        seen.push(options);
        return Promise.resolve(0);
      },
    };
    await run('lab --tour', { local });
    await run('lab one two', { local });
    expect(seen).toEqual([
      { tour: true, args: [] },
      { tour: false, args: ['one', 'two'] },
    ]);
  });

  it.each([
    [true, 0, 'fine\n', ''],
    [false, 1, '', 'fine\n'],
  ])('check: ok %s is exit code %d', async (ok, code, out, err) => {
    const local = { check: () => Promise.resolve({ ok, text: 'fine\n', json: { ok } }) };
    expect(await run('check a.yaml', { local })).toEqual({ code, out, err });
    expect(await run('check a.yaml --json', { local })).toMatchObject({ code, out: `{\n  "ok": ${ok}\n}\n` });
  });

  it.each([
    [true, 0, 'This host is fit: 0 fine.\n'],
    [false, 1, 'Whether this host is fit is not known: 0 fine.\n'],
  ])('doctor: fit %s is exit code %d', async (fit, code, out) => {
    const local = { doctor: () => Promise.resolve({ fit, findings: [] }) };
    expect(await run('doctor', { local })).toEqual({ code, out, err: '' });
    expect(JSON.parse((await run('doctor --json', { local })).out)).toEqual({ fit, findings: [] });
  });

  it('doctor says the worst first, what could not be seen in one go, and mends in whole lines', async () => {
    const root = { why: 'only root may look at it', command: 'sudo director doctor' };
    const local = {
      doctor: () =>
        Promise.resolve({
          fit: false,
          findings: [
            { check: 'node', grade: 'ok', what: 'Node 20.19.0', why: null, command: null },
            { check: 'parts', grade: 'unknown', what: 'parts could not be looked at', ...root },
            {
              check: 'mtu',
              grade: 'warning',
              what: 'eth0 has an MTU of 9000',
              why: 'one\ntwo',
              command: null,
            },
            {
              check: 'links',
              grade: 'fault',
              what: 'vif1.0 is on xenbr0',
              why: 'lost',
              command: 'ip link set x',
            },
            { check: 'iptables', grade: 'unknown', what: 'iptables could not be looked at', ...root },
          ],
        } as const),
    };
    expect((await run('doctor', { local })).out).toBe(`FAULTS: not fit, or dangerous
✗ vif1.0 is on xenbr0
    lost
    $ ip link set x

NOT LOOKED AT
? parts could not be looked at
? iptables could not be looked at
    only root may look at it
    $ sudo director doctor

WARNINGS: may be as you want it, but has a price
! eth0 has an MTU of 9000
    one
    two

FINE
✓ Node 20.19.0

This host is not fit: 1 fault, 2 not looked at, 1 warning and 1 fine.
What sysctl, ip and iptables set is gone after a reboot: write it into /etc/sysctl.d, the network’s configuration or the firewall’s.
`);
  });

  it('doctor is given the configuration, and what it says can command no terminal', async () => {
    const seen: unknown[] = [];
    const doctor = (options: unknown) => {
      seen.push(options);
      const finding = {
        check: 'x',
        grade: 'fault',
        what: '\u001b[2J-j DROP',
        why: 'a\u001b',
        command: 'b\nc',
      } as const;
      return Promise.resolve({ fit: false, findings: [finding] });
    };
    const { out } = await run('doctor --config a.yaml', { local: { doctor } });
    await run('doctor', { local: { doctor } });
    expect(seen).toEqual([{ config: 'a.yaml' }, { config: undefined }]);
    expect(out).toContain('✗ \ufffd[2J-j DROP\n    a\ufffd\n    $ b c\n');
  });

  it('one that throws ends with its message, not with a stack', async () => {
    const local = { doctor: () => Promise.reject(new Error('no /proc here')) };
    expect(await run('doctor', { local })).toEqual({ code: 1, out: '', err: 'director: no /proc here\n' });
  });

  it('--version prints it', async () => {
    expect(await run('--version')).toEqual({ code: 0, out: '1.2.3\n', err: '' });
  });
});

describe('help', () => {
  const commands = (
    'status watch journal whoami plan capacity switch confirm rollback hold release testers testing stage unstage domu ' +
    'serve reload teardown check vif doctor lab completion'
  ).split(' ');

  it('names every command, and ends with 0 where it was asked for', async () => {
    const { code, out, err } = await run('--help');
    expect([code, err]).toEqual([0, '']);
    for (const command of commands) expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
    expect(out).not.toContain('__complete');
  });

  it.each(commands)('of %s has an example, and fits in 80 columns', async (command) => {
    const { code, out } = await run(`${command} --help`, { columns: 80 });
    expect(code).toBe(0);
    const [text = '', examples = ''] = out.split(/^Examples?:$/m);
    expect(examples).toContain(`director ${command}`);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });
});

describe('completion', () => {
  let daemon: FakeDaemon;
  beforeEach(async () => {
    daemon = (await new FakeDaemon().start()).answer('GET /v1/services', 200, picture);
  });
  afterEach(() => daemon.destroy());

  const complete = async (...words: string[]): Promise<string[]> => {
    const { code, out } = await cli(['__complete', ...words], { socket: daemon.socket });
    expect(code).toBe(0);
    return out
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('\t')[0] ?? '');
  };

  it.each<[string[], string[]]>([
    [['sw'], ['switch']],
    [['test'], ['testers', 'testing']],
    [
      ['--json', 'rel'],
      ['release', 'reload'],
    ],
    [
      ['status', ''],
      ['mail', 'ldap', 'db', 'web'],
    ],
    [['status', 'mail', ''], []],
    [['switch', 'mail', 'l'], ['ldap']],
    [
      ['switch', 'mail', '--to', ''],
      ['secondary', 'primary'],
    ],
    [['switch', '--reason', 'm', 'm'], ['mail']],
    [
      ['switch', 'mail', '--con'],
      ['--connections', '--confirm-within'],
    ],
    [['journal', '--service', 'w'], ['web']],
    [
      ['testers', 'mail', ''],
      ['add', 'remove'],
    ],
    [['testing', 'mail', 'o'], ['open']],
    [['cap'], ['capacity']],
    [['capacity', 'mail.json', '--re'], ['--reserve']],
    [['completion', 'f'], ['fish']],
    [['domu', 'c'], ['console']],
    [
      ['domu', 'console', 'mail-'],
      ['mail-a', 'mail-b'],
    ],
    [['status', '--js'], ['--json']],
    [['nonsense', ''], []],
  ])('%j', async (words, candidates) => {
    const found = await complete(...words);
    if (words[0] === 'nonsense') expect(found).not.toContain('mail');
    else expect(found.toSorted()).toEqual(candidates.toSorted());
  });

  it('asks the daemon that the line names', async () => {
    const { out } = await cli(['__complete', '--socket', daemon.socket, 'status', 'ma']);
    expect(out).toBe('mail\ttrial, mail-b is live\n');
  });

  it('has no names, and no error, without a daemon', async () => {
    expect(await cli(['__complete', 'status', ''], { socket: '/nowhere/x' })).toEqual({
      code: 0,
      out: '',
      err: '',
    });
  });

  it('works in bash', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'director-completion-'));
    try {
      const program = join(directory, 'director');
      writeFileSync(
        program,
        '#!/bin/sh\n[ "$*" = "__complete switch ma" ] && printf "mail\\tsettled\\nmatrix\\t\\n"\n',
      );
      chmodSync(program, 0o755);
      const script = (await run('completion bash')).out;
      const drive = `${script}\nCOMP_WORDS=(director switch ma); COMP_CWORD=2; _director; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const env = { PATH: `${directory}${delimiter}${process.env.PATH ?? ''}` };
      const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', drive], { env });
      expect(stdout).toBe('mail\nmatrix\n');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it.each(['zsh', 'fish'])('has a script for %s', async (shell) => {
    expect((await run(`completion ${shell}`)).out).toContain('__complete');
  });
});
