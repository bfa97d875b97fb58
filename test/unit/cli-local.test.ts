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
    [true, 0],
    [false, 1],
  ])('doctor: fit %s is exit code %d', async (fit, code) => {
    const local = { doctor: () => Promise.resolve({ text: 'iptables: found', json: { fit }, fit }) };
    expect(await run('doctor', { local })).toMatchObject({ code, out: 'iptables: found\n' });
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
