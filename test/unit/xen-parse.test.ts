import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseVifs } from '../../src/xen/parse-vifs.ts';
import { parseXlList } from '../../src/xen/parse-xl-list.ts';

/** As Debian 12's Xen 4.17 writes it, of guests that were brought into these states. */
const captured = (name: string): string =>
  readFileSync(new URL(`../fixtures/xen/${name}`, import.meta.url), 'utf8');

test('`xl list` tells domid and state of every domain but Dom0', () => {
  expect(parseXlList(captured('xl-list.txt'))).toEqual([
    { name: 'mail-a', domid: 1, state: 'paused' },
    { name: 'mail-b', domid: 2, state: 'crashed' },
    { name: 'ldap-a', domid: 3, state: 'running' },
  ]);
});

const HEAD = 'Name                                        ID   Mem VCPUs\tState\tTime(s)\n';
test.each([
  ['r-----', 'running'],
  ['-b----', 'running'],
  ['------', 'running'],
  ['--p---', 'paused'],
  ['---s--', 'shutdown'],
  ['---sc-', 'crashed'],
  ['--ps-d', 'shutdown'],
])('a domain with the letters %s is %s', (flags, state) => {
  const line = `mail-a                                       7    96     1     ${flags}       1.3\n`;
  expect(parseXlList(HEAD + line)).toEqual([{ name: 'mail-a', domid: 7, state }]);
});

test('names may be long, and have spaces in them; one that is lost is nobody’s', () => {
  const long = 'a'.repeat(60);
  const rows = [
    `Domain-0                                     0  1024     1     r-----      20.6`,
    `${long}    12   512     2     -b----     123.4`,
    `win 10 test                                 13  4096     4     --p---       0.0`,
    `(null)                                      14     0     1     --p--d       9.9`,
  ];
  expect(parseXlList(HEAD + rows.join('\n'))).toEqual([
    { name: long, domid: 12, state: 'running' },
    { name: 'win 10 test', domid: 13, state: 'paused' },
  ]);
});

test('xenstore tells of each vif its name in this host, MAC, bridge, and whether its script is done', () => {
  const vif = (device: number, name: string, mac: string, bridge: string, connected = true) => {
    return { device, name, mac: `00:16:3e:00:${mac}`, bridge, connected };
  };
  expect(parseVifs(captured('xenstore-vifs.txt'))).toEqual(
    new Map([
      [
        1,
        [
          vif(0, 'vif1.0', '01:10', 'br-mail'),
          // One whose script has failed.
          vif(1, 'vif1.1', '03:77', 'br-wrong', false),
          vif(2, 'vif1.2', '01:11', 'br-mail'),
        ],
      ],
      [9, [vif(0, 'vif9.0', '02:10', 'br-wrong')]],
      [10, [vif(0, 'vif-ldap-x', '03:10', 'br-ldap'), vif(1, 'vif10.1', '03:11', 'br-backup')]],
    ]),
  );
});

test('what is no vif is left out', () => {
  expect(parseVifs('').size).toBe(0);
  expect(parseVifs('/local/domain/0/backend/vif/9 = ""\nxenstore-ls: something\n').size).toBe(0);
});
