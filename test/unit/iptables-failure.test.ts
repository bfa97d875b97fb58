import { describe, expect, test } from 'vitest';
import { binaryOf } from '../../src/kernel/iptables/binaries.ts';
import { restoreCutShort, restoreFailure, toolFailure } from '../../src/kernel/iptables/failure.ts';
import { run } from '../../src/lib/run.ts';
import { KernelError } from '../../src/lib/errors.ts';

const TEXT =
  '*raw\n:DIR-HOLD - [0:0]\nCOMMIT\n*filter\n:DIR-B - [0:0]\n-X DIR-A\nCOMMIT\n*nat\n-A DIR-C -j NOPE\nCOMMIT\n';

test('The variant names the tools', () => {
  expect(binaryOf('auto', 4, 'restore')).toBe('iptables-restore');
  expect(binaryOf('nft', 6, 'save')).toBe('ip6tables-nft-save');
  expect(binaryOf('legacy', 4, 'save')).toBe('iptables-legacy-save');
});

describe('a refused restore says', () => {
  test('which line, why, and which tables are changed by now', () => {
    const stderr =
      'iptables-nft-restore v1.8.9 (nf_tables): \nline 6: CHAIN_DEL failed (Device or resource busy): chain DIR-A\n';
    const error = restoreFailure('iptables-restore', 4, stderr, TEXT);
    expect(error.code).toBe('EBUSY');
    expect(error.message).toContain('"-X DIR-A"');
    expect(error.message).toContain('CHAIN_DEL failed (Device or resource busy)');
    expect(error.message).toContain(
      'raw had been committed by then and stay changed, filter, nat did not change',
    );
  });

  test('that nothing was changed where the first table was refused', () => {
    const error = restoreFailure('iptables-restore', 1, 'iptables-restore: line 2 failed\n', TEXT);
    expect(error.message).toMatch(/":DIR-HOLD - \[0:0\]".*; nothing was changed/);
  });

  test('the table, where its commit was refused', () => {
    const stderr =
      "iptables-nft-restore v1.8.9 (nf_tables): Chain 'NOPE' does not exist\nError occurred at line: 10\nTry `iptables-nft-restore -h' or 'iptables-nft-restore --help' for more information.\n";
    const error = restoreFailure('iptables-restore', 2, stderr, TEXT);
    expect(error).toMatchObject({ code: 'ENOENT' });
    expect(error.message).toContain('table nat when it was committed');
    expect(error.message).not.toContain('--help');
  });

  test('that it is not known which tables changed, where no line is told or the tool was killed', () => {
    const stderr = 'Another app is currently holding the xtables lock.\n';
    expect(restoreFailure('iptables-restore', 4, stderr, TEXT)).toMatchObject({
      code: 'EAGAIN',
      message: expect.stringContaining('some of raw, filter, nat may have changed') as string,
    });
    const killed = new KernelError('killed', { code: 'ETIMEDOUT' });
    expect(restoreCutShort(killed, TEXT).message).toContain(
      'each of raw, filter, nat has changed whole or not',
    );
    expect(restoreCutShort(killed, '*raw\nCOMMIT\n').message).not.toContain('nothing was changed');
  });
});

test.each([
  ['Could not fetch rule set generation id: Permission denied (you must be root)', 'EPERM'],
  ["Fatal: can't open lock file /run/xtables.lock: Permission denied", 'EPERM'],
  ["can't initialize ip6tables table `nat': Table does not exist (do you need to insmod?)", 'EOPNOTSUPP'],
  ["Set dir-hold doesn't exist.", 'ENOENT'],
  ['Extension set revision 0 not supported, missing kernel module?', 'ENOENT'],
])('What a tool said has a code and a remedy: %s', (stderr, code) => {
  const error = toolFailure('iptables-save', 4, stderr);
  expect(error.code).toBe(code);
  expect(error.hint).toBeTruthy();
});

describe('running a tool', () => {
  test('Its arguments and input reach it as they are, without a shell', async () => {
    const { status, stdout } = await run('perl', ['-e', 'print "@ARGV:", <STDIN>', '$(id) ; `id`'], {
      stdin: 'two\nlines',
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '$(id) ; `id`:two\nlines' });
  });

  test('A status is an answer; a tool that is not there is ENOENT', async () => {
    expect(await run('perl', ['-e', 'print STDERR "no"; exit 3'])).toMatchObject({ status: 3, stderr: 'no' });
    await expect(run('no-such-tool', [])).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('One that reads nothing of a long input does not fail for it', async () => {
    expect((await run('perl', ['-e', 'exit 0'], { stdin: 'x'.repeat(1 << 20) })).status).toBe(0);
  });

  test('One that takes too long, or whose caller has gone, is ended', async () => {
    await expect(run('perl', ['-e', 'sleep 60'], { timeout: 50 })).rejects.toMatchObject({
      code: 'ETIMEDOUT',
    });
    const controller = new AbortController();
    const running = run('perl', ['-e', 'sleep 60'], { signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'ECANCELED' });
  });
});
