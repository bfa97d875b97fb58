import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { KernelError } from '../../src/lib/errors.ts';
import type { SetElement, SetSpec } from '../../src/model/kernel-state.ts';
import type { Flow } from '../../src/kernel/kernel.ts';
import { ConntrackClient } from '../../src/kernel/netlink/conntrack/client.ts';
import { ConntrackThread } from '../../src/kernel/netlink/conntrack/thread.ts';
import type { FlowTable } from '../../src/kernel/netlink/conntrack/thread.ts';
import { NETLINK_NETFILTER, NetlinkConnection, dumpWhole } from '../../src/kernel/netlink/connection.ts';
import type { NetlinkMessage } from '../../src/kernel/netlink/connection.ts';
import { rulesetGeneration } from '../../src/kernel/netlink/generation.ts';
import { IpsetClient } from '../../src/kernel/netlink/ipset/client.ts';
import {
  commandType,
  encodeElements,
  encodeListHeads,
  encodeNamed,
} from '../../src/kernel/netlink/ipset/encode.ts';
import { nameIpsetErrno } from '../../src/kernel/netlink/ipset/errors.ts';
import { requirePrivateNamespace, tool } from './links-private-namespace.ts';

const connection = NetlinkConnection.open(NETLINK_NETFILTER, { nameErrno: nameIpsetErrno });
const sets = new IpsetClient(connection);
const thread = new ConntrackThread(new URL('../../dist/conntrack.js', import.meta.url));

/** NFNL_MSG_BATCH_BEGIN without its nfgenmsg: nfnetlink drops it without a word (nfnetlink.c, nfnetlink_rcv_skb_batch). */
const UNANSWERED = 0x10;
/** NETLINK_USERSOCK: nobody of the kernel listens. */
const NOBODY = 2;

beforeAll(requirePrivateNamespace);
afterEach(() => {
  // Lists first let go of their members.
  tool('ipset', 'flush');
  tool('ipset', 'destroy');
  tool('bash', '-c', 'conntrack -F 2>&1');
});
afterAll(async () => {
  connection.close();
  await thread.close();
});

/** Without what the tool says on standard error. */
const quietly = (command: string, ...argv: string[]): string =>
  execFileSync(command, argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

const spec = (name: string, type: SetSpec['type'], family: 4 | 6 = 4, extras = true): SetSpec => ({
  name,
  type,
  family,
  timeouts: extras,
  counters: extras,
});
const forGood = (...keys: string[]): SetElement[] => keys.map((key) => ({ key, expiresAt: null }));
const members = (name: string): string[] =>
  tool('ipset', 'save', name)
    .split('\n')
    .filter((line) => line.startsWith('add'))
    .map((line) => line.replace(`add ${name} `, ''))
    .sort();
const refused = async (work: Promise<unknown>): Promise<KernelError> => {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(KernelError);
  return error as KernelError;
};

describe('a netlink connection', () => {
  test('ten thousand requests at once are all answered', async () => {
    await sets.create(spec('dir-a', 'hash:ip'));
    const answers = await Promise.allSettled(
      Array.from({ length: 10_000 }, () => connection.request(commandType('flush'), 0, encodeNamed('dir-a'))),
    );
    expect(answers.filter(({ status }) => status === 'rejected')).toEqual([]);
  });

  test('each of many requests gets its own answer, refusals too', async () => {
    await sets.create(spec('dir-a', 'hash:ip'));
    const answers = await Promise.allSettled(
      Array.from({ length: 500 }, (_, i) =>
        connection.request(commandType('flush'), 0, encodeNamed(i % 3 === 0 ? 'dir-none' : 'dir-a')),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(
      Array.from({ length: 500 }, (_, i) => (i % 3 === 0 ? 'rejected' : 'fulfilled')),
    );
  });

  test('several in one datagram are carried out in their order', async () => {
    const set = spec('dir-a', 'hash:ip');
    await sets.create(set);
    const add = (key: string) => ({
      type: commandType('add'),
      payload: encodeElements(set, forGood(key), 0)[0]?.payload ?? Buffer.alloc(0),
    });
    const flush = { type: commandType('flush'), payload: encodeNamed('dir-a') };
    await connection.requestAll([add('192.0.2.1'), flush, add('192.0.2.2')]);
    expect(members('dir-a').join()).toMatch(/^192\.0\.2\.2 /);
    await connection.requestAll([]);
  });

  test.each([0, 1, 2])(
    'of several in one datagram the first refusal is told, be it number %i, and the connection goes on',
    async (bad) => {
      await sets.create(spec('dir-a', 'hash:ip'));
      const flush = (name: string) => ({ type: commandType('flush'), payload: encodeNamed(name) });
      // Refused for another reason.
      const faulty = { type: commandType('add'), payload: encodeNamed('dir-a') };
      const requests = [0, 1, 2].map((at) =>
        at < bad ? flush('dir-a') : at === bad ? flush('dir-none') : faulty,
      );
      // Meanwhile others are answered too.
      const [error] = await Promise.all([
        refused(connection.requestAll(requests)),
        rulesetGeneration(connection),
      ]);
      expect(error.code).toBe('ENOENT');
      expect(await rulesetGeneration(connection)).toBeTypeOf('number');
    },
  );

  test('requests of tens of kilobytes that are all refused do not overrun the socket', async () => {
    const big = Buffer.concat([encodeNamed('dir-none'), Buffer.alloc(50_000)]);
    const answers = await Promise.allSettled(
      Array.from({ length: 200 }, () => connection.request(commandType('add'), 0, big)),
    );
    const codes = answers.map((answer) =>
      answer.status === 'rejected' ? (answer.reason as KernelError).code : 'none',
    );
    expect(new Set(codes)).toEqual(new Set(['IPSET_4097']));
  });

  test('requests keep their order, and those behind a dump wait for it', async () => {
    const order: string[] = [];
    await sets.create(spec('dir-a', 'hash:ip'));
    const request = (name: string): Promise<unknown> =>
      connection.request(commandType('flush'), 0, encodeNamed('dir-a')).then(() => order.push(name));
    const dump = connection
      .dump(commandType('list'), encodeListHeads(), () => undefined)
      .then(() => order.push('dump'));
    await Promise.all([request('1'), dump, request('2'), request('3')]);
    expect(order).toEqual(['dump', '1', '2', '3']);
  });

  test('what a callback throws is thrown to the one who asked, and the connection goes on', async () => {
    await sets.create(spec('dir-a', 'hash:ip'));
    const mine = new Error('mine');
    await expect(
      connection.dump(commandType('list'), encodeListHeads(), () => {
        throw mine;
      }),
    ).rejects.toBe(mine);
    expect(await dumpWhole(connection, commandType('list'), encodeListHeads())).toHaveLength(1);
  });

  test('an answer that is there is not lost, however long the process slept', async () => {
    const impatient = NetlinkConnection.open(NETLINK_NETFILTER, { requestTimeout: 1 });
    await impatient.request(commandType('list'), 0, encodeNamed('dir-none')).catch(() => undefined);
    const answer = rulesetGeneration(impatient);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    expect(await answer).toBeTypeOf('number');
    impatient.close();
  });

  test('what is never answered ends with ETIMEDOUT, says that the outcome is not known, and the next one gets a chance', async () => {
    const silent = NetlinkConnection.open(NETLINK_NETFILTER, { requestTimeout: 20, dumpTimeout: 20 });
    const error = await refused(silent.request(UNANSWERED, 0, Buffer.alloc(0)));
    expect([error.code, error.message]).toEqual(['ETIMEDOUT', expect.stringContaining('is not known')]);
    expect((await refused(silent.dump(UNANSWERED, Buffer.alloc(0), () => undefined))).code).toBe('ETIMEDOUT');
    expect(await rulesetGeneration(silent)).toBeTypeOf('number');
    silent.close();
  });

  test('a socket that fails rejects what waits, and every later request has a socket of its own', async () => {
    const failing = NetlinkConnection.open(NOBODY);
    for (let round = 0; round < 3; round++) {
      const errors = await Promise.all(
        Array.from({ length: 100 }, () => refused(failing.request(3, 0, Buffer.alloc(4)))),
      );
      expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['ECONNREFUSED']));
    }
    failing.close();
  });

  test('a protocol that there is not is a KernelError', async () => {
    expect((await refused(NetlinkConnection.open(31).request(3, 0, Buffer.alloc(4)))).code).toBe(
      'EPROTONOSUPPORT',
    );
  });

  test('close rejects what waits and what comes after, and may be called again', async () => {
    const closing = NetlinkConnection.open(NETLINK_NETFILTER);
    const waiting = Array.from({ length: 100 }, () => refused(rulesetGeneration(closing)));
    closing.close();
    closing.close();
    expect(new Set((await Promise.all(waiting)).map(({ code }) => code))).toEqual(new Set(['ECANCELED']));
    expect((await refused(rulesetGeneration(closing))).code).toBe('ECANCELED');
  });
});

describe('sets', () => {
  const KINDS: [SetSpec['type'], 4 | 6, string[]][] = [
    ['hash:ip', 4, ['192.0.2.25', '10.0.0.1']],
    ['hash:ip', 6, ['2001:db8::25', 'fd00:50::2']],
    ['hash:net', 4, ['198.51.100.0/24', '192.0.2.25', '128.0.0.0/1']],
    ['hash:net', 6, ['2001:db8::/32', '2001:db8::25', '8000::/1']],
    ['hash:ip,port', 4, ['192.0.2.25,tcp:25', '192.0.2.25,udp:25']],
    ['hash:ip,port', 6, ['2001:db8::25,tcp:25', '2001:db8::25,udp:53']],
    ['hash:net,iface', 4, ['10.50.0.0/24,br-mail', '0.0.0.0/0,eth0', '192.0.2.25,eth0']],
    ['hash:net,iface', 6, ['fd00:50::/64,br-mail', '::/0,eth0', '2001:db8::25,eth0']],
  ];

  test.each(KINDS)(
    'a %s of IPv%i holds what was put into it, and ipset(8) spells it alike',
    async (type, family, keys) => {
      const set = spec('dir-a', type, family, false);
      await sets.create(set);
      await sets.add(set, forGood(...keys), 0);
      expect(members('dir-a')).toEqual([...keys].sort());
      expect((await sets.get('dir-a', 0))?.elements.map(({ key }) => key).sort()).toEqual([...keys].sort());
      await sets.remove(set, forGood(...keys.slice(1)));
      expect(members('dir-a')).toEqual(keys.slice(0, 1));
    },
  );

  test('are filled with exactly what is asked, as many as there are, and not with what cannot be', async () => {
    const [a, b] = [spec('dir-a', 'hash:ip'), spec('dir-b', 'hash:ip,port')];
    for (const set of [a, b]) await sets.create(set);
    const many = Array.from({ length: 9000 }, (_, n) => `10.1.${n >> 8}.${n & 255}`);
    for (const keys of [many, ['192.0.2.1'], []]) {
      const contents = [
        { spec: a, elements: forGood(...keys) },
        { spec: b, elements: forGood('192.0.2.25,tcp:25') },
      ];
      await sets.fill(contents, 0);
      expect((await sets.get('dir-a', 0))?.elements.map(({ key }) => key).sort()).toEqual([...keys].sort());
      expect(members('dir-b')).toHaveLength(1);
    }
    const error = await refused(
      sets.fill(
        [
          { spec: spec('dir-none', 'hash:ip'), elements: [] },
          { spec: a, elements: [] },
        ],
        0,
      ),
    );
    expect([error.code, error.message]).toEqual(['ENOENT', expect.stringContaining('dir-none, dir-a')]);
  });

  test('lists are asked for their members in one message', async () => {
    for (const name of ['dir-a', 'dir-b']) await sets.create(spec(name, 'hash:ip'));
    await sets.createList('dir-list', 4);
    await sets.createList('dir-other', 4);
    await sets.addToList('dir-list', 'dir-a');
    await sets.addToList('dir-other', 'dir-b');
    const holds = (...lists: [string, string[]][]): Promise<boolean> =>
      sets.hold(lists.map(([list, names]) => ({ list, members: names })));
    expect(await holds(['dir-list', ['dir-a']], ['dir-other', ['dir-b']])).toBe(true);
    expect(await holds(['dir-list', ['dir-b']], ['dir-other', ['dir-b']])).toBe(false);
    expect(await holds(['dir-list', ['dir-a']], ['dir-other', ['dir-a']])).toBe(false);
    expect(await holds(['dir-list', ['dir-a', 'dir-b']])).toBe(false);
    expect(await holds(['dir-none', ['dir-a']])).toBe(false);
  });

  test('creating it again is fine, and another kind under its name is EEXIST and changes nothing', async () => {
    const set = spec('dir-a', 'hash:ip');
    await sets.create(set);
    await sets.add(set, forGood('192.0.2.25'), 0);
    await sets.create(set);
    for (const other of [
      spec('dir-a', 'hash:ip', 6),
      spec('dir-a', 'hash:net'),
      spec('dir-a', 'hash:ip', 4, false),
    ]) {
      const error = await refused(sets.create(other));
      expect([error.code, error.hint]).toEqual(['EEXIST', expect.stringContaining('ipset list dir-a')]);
    }
    expect((await refused(sets.createList('dir-a', 8))).code).toBe('EEXIST');
    expect((await sets.get('dir-a', 0))?.elements).toHaveLength(1);
  });

  test('an element lasts until its time, "for good" where it has none, and adding it again moves its time', async () => {
    const set = spec('dir-a', 'hash:ip');
    await sets.create(set);
    await sets.add(
      set,
      [
        { key: '192.0.2.1', expiresAt: 60_000 },
        { key: '192.0.2.2', expiresAt: null },
      ],
      0,
    );
    await sets.add(set, [{ key: '192.0.2.1', expiresAt: 500_000 }], 0);
    const elements = new Map(
      (await sets.get('dir-a', 0))?.elements.map(({ key, expiresAt }) => [key, expiresAt]),
    );
    expect(elements.get('192.0.2.2')).toBeNull();
    expect(elements.get('192.0.2.1')).toBeGreaterThan(60_000);
    expect(elements.get('192.0.2.1')).toBeLessThanOrEqual(500_000);
  });

  test('when an element ends is told by an answer that was prompt; one that came late is not believed', async () => {
    const set = spec('dir-a', 'hash:ip');
    await sets.create(set);
    await sets.add(set, [{ key: '192.0.2.1', expiresAt: 100_000 }], 0);
    // Before and after each question: the first one takes a minute.
    const times = [0, 60_000, 60_000, 60_010];
    const [listed] = await sets.list('dir-', () => times.shift() ?? NaN);
    const [element] = listed?.elements ?? [];
    expect(element?.expiresAt).toBeGreaterThan(150_000);
    expect(element?.expiresAt).toBeLessThanOrEqual(160_000);
  });

  test('removing what is not there, and destroying what does not exist, is fine', async () => {
    const set = spec('dir-a', 'hash:ip');
    await sets.create(set);
    await sets.remove(set, forGood('192.0.2.1', '192.0.2.2'));
    await sets.destroy('dir-none');
  });

  test('tens of thousands of elements go in, come out and leave', async () => {
    const set = spec('dir-a', 'hash:ip,port');
    const keys = Array.from({ length: 20_000 }, (_, i) => `10.1.${i >> 8}.${i & 255},tcp:${i}`);
    await sets.create(set);
    await sets.add(set, forGood(...keys), 0);
    const listed = (await sets.get('dir-a', 0))?.elements.map(({ key }) => key);
    expect(listed).toHaveLength(keys.length);
    expect(new Set(listed)).toEqual(new Set(keys));
    await sets.remove(set, forGood(...keys));
    expect((await sets.get('dir-a', 0))?.elements).toEqual([]);
  });

  test.each([
    { family: 4 as const, key: (n: number) => `10.1.${n >> 8}.${n & 255}` },
    { family: 6 as const, key: (n: number) => `fd00:50::${(n + 1).toString(16)}` },
  ])('counters are read as they are, whatever came and went since: IPv$family', async ({ family, key }) => {
    const set = spec('dir-count', 'hash:ip', family);
    await sets.create(set);
    const counted = (n: number, more = 0): void => {
      const [packets, bytes] = [String(n + more), String(2 ** 33 + n)];
      tool('ipset', '-exist', 'add', 'dir-count', key(n), 'packets', packets, 'bytes', bytes);
    };
    const numbers = Array.from({ length: 300 }, (_, n) => n);
    const expected = (those: readonly number[], more = 0): unknown =>
      new Map(those.map((n) => [key(n), { packets: n + more, bytes: 2 ** 33 + n }]));
    for (const n of numbers) counted(n);
    expect(await sets.counters('dir-count')).toEqual(expected(numbers));
    const left = numbers.filter((n) => n % 3 !== 0);
    await sets.remove(set, forGood(...numbers.filter((n) => n % 3 === 0).map(key)));
    expect(await sets.counters('dir-count')).toEqual(expected(left));
    for (const n of [0, 300, 301]) counted(n);
    const last = [...left, 0, 300, 301];
    expect(await sets.counters('dir-count')).toEqual(expected(last));
    for (const more of [2 ** 24 + 2 ** 9, 2 ** 40 + 2 ** 31]) {
      for (const n of last) counted(n, more);
      expect(await sets.counters('dir-count')).toEqual(expected(last, more));
    }
  });

  test('counters of elements that are no addresses alone have their whole keys', async () => {
    const set = spec('dir-count', 'hash:net');
    await sets.create(set);
    await sets.add(set, forGood('198.51.100.0/24', '203.0.113.7'), 0);
    expect(new Set((await sets.counters('dir-count'))?.keys())).toEqual(
      new Set(['198.51.100.0/24', '203.0.113.7']),
    );
    expect(await sets.counters('dir-none')).toBeNull();
  });

  test('the error says which element the kernel refused, and how many were done before it', async () => {
    const set = spec('dir-a', 'hash:ip,port');
    await sets.create(set);
    const error = await refused(
      sets.add(set, forGood('10.0.0.1,tcp:1', '0.0.0.0,tcp:0', '10.0.0.2,tcp:2'), 0),
    );
    expect(error.message).toContain('could not add 0.0.0.0,tcp:0; 1 of 3 elements were done before it');
    expect(members('dir-a')).toHaveLength(1);
  });

  test('a list has its members, takes one twice and forgets one that is not there', async () => {
    await sets.createList('dir-trial', 4);
    await sets.createList('dir-trial', 4);
    for (const name of ['dir-trial-a', 'dir-dark-a']) {
      await sets.create(spec(name, 'hash:ip'));
      await sets.addToList('dir-trial', name);
      await sets.addToList('dir-trial', name);
    }
    expect(await sets.get('dir-trial', 0)).toMatchObject({
      type: 'list:set',
      family: null,
      size: 4,
      members: ['dir-trial-a', 'dir-dark-a'],
    });
    await sets.removeFromList('dir-trial', 'dir-dark-a');
    await sets.removeFromList('dir-trial', 'dir-dark-a');
    expect((await sets.get('dir-trial', 0))?.members).toEqual(['dir-trial-a']);
  });

  test('what is in use is not destroyed: EBUSY, and it is still there', async () => {
    await sets.createList('dir-trial', 4);
    await sets.create(spec('dir-trial-a', 'hash:ip'));
    await sets.addToList('dir-trial', 'dir-trial-a');
    const error = await refused(sets.destroy('dir-trial-a'));
    expect([error.code, error.message]).toEqual(['EBUSY', expect.stringContaining('it is as it was')]);
    expect(await sets.get('dir-trial-a', 0)).toMatchObject({ references: 1 });
  });

  test('a swap exchanges what two names mean, and the prepared one does it once for each call', async () => {
    for (const bank of ['a', 'b']) {
      await sets.create(spec(`dir-trial-${bank}`, 'hash:ip'));
      await sets.createList(`dir-list-${bank}`, 4);
      await sets.addToList(`dir-list-${bank}`, `dir-trial-${bank}`);
    }
    const flip = sets.prepareSwap('dir-list-a', 'dir-list-b');
    expect((await sets.get('dir-list-a', 0))?.members).toEqual(['dir-trial-a']);
    await flip();
    expect((await sets.get('dir-list-a', 0))?.members).toEqual(['dir-trial-b']);
    await flip();
    expect((await sets.get('dir-list-a', 0))?.members).toEqual(['dir-trial-a']);
  });

  test('a swap succeeds while somebody else lists the sets', async () => {
    const other = NetlinkConnection.open(NETLINK_NETFILTER, { nameErrno: nameIpsetErrno });
    const lister = new IpsetClient(other);
    const set = spec('dir-a', 'hash:ip,port');
    await sets.create(set);
    await sets.create(spec('dir-b', 'hash:ip,port'));
    await sets.add(
      set,
      forGood(...Array.from({ length: 3000 }, (_, i) => `10.1.${i >> 8}.${i & 255},tcp:${i}`)),
      0,
    );
    const listings = Array.from({ length: 5 }, () => lister.list('dir-', Date.now));
    const flip = sets.prepareSwap('dir-a', 'dir-b');
    for (let i = 0; i < 20; i++) await flip();
    await Promise.all(listings);
    expect(members('dir-a')).toHaveLength(3000);
    other.close();
  });

  test('sets that cannot be exchanged are left as they were, and the error says so', async () => {
    await sets.create(spec('dir-a', 'hash:ip'));
    await sets.create(spec('dir-b', 'hash:net'));
    const error = await refused(sets.swap('dir-a', 'dir-b'));
    expect([error.code, error.message]).toEqual([
      'IPSET_4102',
      expect.stringContaining('both are as they were'),
    ]);
    expect((await refused(sets.swap('dir-none', 'dir-a'))).code).toBe('ENOENT');
  });

  test('only sets of the prefix are listed, and one that does not exist is null', async () => {
    tool('ipset', 'create', 'hosts-own', 'bitmap:port', 'range', '0-1023');
    await sets.create(spec('dir-a', 'hash:ip'));
    await sets.create(spec('dir-b', 'hash:net', 6));
    expect((await sets.list('dir-', Date.now)).map(({ name }) => name)).toEqual(['dir-a', 'dir-b']);
    expect(await sets.get('dir-none', 0)).toBeNull();
    expect(await sets.get('hosts-own', 0)).toMatchObject({ type: 'bitmap:port', elements: [] });
  });

  test('lists are told of also when all places that the kernel has for sets are taken', async () => {
    await sets.create(spec('dir-a', 'hash:ip'));
    await sets.createList('dir-list', 4);
    await sets.addToList('dir-list', 'dir-a');
    // It begins with 256, and makes room for 64 more when these are full.
    const places = Array.from({ length: 320 }, (_, n) => `dir-${n}`);
    for (const name of places) {
      await sets.create(spec(name, 'hash:ip'));
      const listed = await sets.list('dir-', Date.now, ['dir-list', 'dir-absent']);
      const lists = listed.filter(({ type }) => type === 'list:set').map((list) => list.name);
      expect([name, lists]).toEqual([name, ['dir-list']]);
    }
    expect((await sets.list('dir-list', Date.now, ['dir-list']))[0]?.members).toEqual(['dir-a']);
  });

  test('flush empties one set and no other', async () => {
    for (const name of ['dir-a', 'dir-b']) {
      await sets.create(spec(name, 'hash:ip'));
      await sets.add(spec(name, 'hash:ip'), forGood('192.0.2.1'), 0);
    }
    await sets.flush('dir-a');
    expect([members('dir-a').length, members('dir-b').length]).toEqual([0, 1]);
    expect((await refused(sets.flush('dir-none'))).code).toBe('ENOENT');
  });

  test('counters are read', async () => {
    const set = spec('dir-a', 'hash:ip');
    await sets.create(set);
    tool('ipset', 'add', 'dir-a', '192.0.2.1', 'packets', '7', 'bytes', '4294967296');
    expect((await sets.get('dir-a', 0))?.elements).toMatchObject([{ packets: 7, bytes: 4294967296 }]);
  });
});

describe.each<[string, FlowTable]>([
  ['flows', new ConntrackClient(connection)],
  ['flows, asked for in a thread of their own,', thread],
])('%s', (_, flows) => {
  const MASK = 0xffff0000;
  const insert = (family: 4 | 6, port: number, mark: number): string => {
    const addresses =
      family === 4
        ? ['198.51.100.7', '192.0.2.25', '10.50.0.2']
        : ['2001:db8::7', '2001:db8::25', 'fd00:50::2'];
    const [from, to, domu] = addresses as [string, string, string];
    const ports = [
      '--sport',
      `${port}`,
      '--dport',
      '25',
      '--reply-port-src',
      '2525',
      '--reply-port-dst',
      `${port}`,
    ];
    return quietly(
      'conntrack',
      '-I',
      '-p',
      'tcp',
      '-s',
      from,
      '-d',
      to,
      '-r',
      domu,
      '-q',
      from,
      ...ports,
      '--state',
      'ESTABLISHED',
      '-u',
      'SEEN_REPLY,ASSURED',
      '-t',
      '600',
      '--mark',
      `${mark}`,
    );
  };
  const collect = async (value: number): Promise<Flow[]> => {
    const found: Flow[] = [];
    for await (const chunk of flows.flows({ value, mask: MASK })) found.push(...chunk);
    return found;
  };
  const populate = (): void => {
    for (const family of [4, 6] as const) {
      insert(family, 1001, 0x10000);
      insert(family, 1002, 0x10007);
      insert(family, 1003, 0x20000);
      insert(family, 1004, 0);
      insert(family, 1005, 7);
    }
  };

  test('are counted by our part of their mark, both families; those that nobody marked are not', async () => {
    populate();
    expect(await flows.count(MASK)).toEqual(
      new Map([
        [0x10000, 4],
        [0x20000, 2],
      ]),
    );
    expect(await flows.count(7)).toEqual(new Map([[7, 4]]));
    expect(await flows.count(0xffff_ffff, { value: 0x10000, mask: MASK })).toEqual(
      new Map([
        [0x10000, 2],
        [0x10007, 2],
      ]),
    );
  });

  test('are selected by mark, and tell who answers them', async () => {
    populate();
    const found = (await collect(0x20000)).sort((a, b) => a.family - b.family);
    expect(found).toMatchObject([
      {
        family: 4,
        protocol: 'tcp',
        to: { text: '192.0.2.25' },
        toPort: 25,
        answeredBy: { text: '10.50.0.2' },
        answeredPort: 2525,
        mark: 0x20000,
      },
      {
        family: 6,
        protocol: 'tcp',
        to: { text: '2001:db8::25' },
        toPort: 25,
        answeredBy: { text: 'fd00:50::2' },
        answeredPort: 2525,
        mark: 0x20000,
      },
    ]);
    expect(await collect(0x30000)).toEqual([]);
  });

  test('end by mark in both families, and all others go on', async () => {
    populate();
    expect(await flows.deleteByMark({ value: 0x10000, mask: MASK })).toBe(4);
    expect(await flows.count(0xffffffff)).toEqual(
      new Map([
        [0x20000, 2],
        [7, 2],
      ]),
    );
    expect(
      quietly('conntrack', '-L')
        .split('\n')
        .filter((line) => line.includes('mark=')),
    ).toHaveLength(6);
    expect(await flows.deleteByMark({ value: 0x10000, mask: MASK })).toBe(0);
  });

  test("without a mark are never ended by it: that would be everybody else's", async () => {
    populate();
    for (const filter of [
      { value: 0, mask: MASK },
      { value: 0, mask: 0 },
      { value: 0x10000, mask: 0 },
    ]) {
      expect((await refused(flows.deleteByMark(filter))).code).toBe('EINVAL');
    }
    expect(
      quietly('conntrack', '-L')
        .split('\n')
        .filter((line) => line.includes('mark=')),
    ).toHaveLength(10);
  });

  test('one flow ends alone; false where it is gone, or where another has its addresses', async () => {
    populate();
    for (const flow of await collect(0x20000)) {
      expect(await flows.deleteFlow({ ...flow, id: flow.id ^ 1 })).toBe(false);
      expect(await flows.deleteFlow(flow)).toBe(true);
      expect(await flows.deleteFlow(flow)).toBe(false);
    }
    expect(await flows.count(MASK)).toEqual(new Map([[0x10000, 4]]));
  });

  test('thousands come in chunks, none missing and none twice', async () => {
    tool(
      'bash',
      '-c',
      'for p in $(seq 1 3000); do echo "-I -p udp -s 198.51.100.7 -d 192.0.2.25 --sport $p --dport 53 -t 600 --mark 0x30000"; done | conntrack -R - 2>&1',
    );
    const sizes: number[] = [];
    const ports = new Set<number>();
    for await (const chunk of flows.flows({ value: 0x30000, mask: MASK })) {
      sizes.push(chunk.length);
      for (const { fromPort } of chunk) ports.add(fromPort);
    }
    expect(ports.size).toBe(3000);
    expect(sizes.length).toBeGreaterThan(1);
    expect(sizes.reduce((a, b) => a + b)).toBe(3000);
    expect(await flows.count(MASK)).toEqual(new Map([[0x30000, 3000]]));
  });
});

test('when the thread that asks for flows ends, or cannot begin, whoever waits is told, and whoever comes', async () => {
  const own = new ConntrackThread(new URL('../../dist/conntrack.js', import.meta.url));
  expect(await own.count(0xffff)).toEqual(new Map());
  const waiting = [refused(own.count(0xffff)), refused(own.deleteByMark({ value: 1, mask: 1 }))];
  await own.close();
  expect((await Promise.all(waiting)).map(({ code }) => code)).toEqual(['ECANCELED', 'ECANCELED']);
  expect((await refused(own.count(0xffff))).code).toBe('ECANCELED');

  const broken = new ConntrackThread(new URL('../../dist/no-such-program.js', import.meta.url));
  expect((await refused(broken.count(1))).code).toBe('EIO');
  expect((await refused(broken.count(1))).message).toMatch(/has ended: .*no-such-program/);
  await broken.close();
});

describe("the ruleset's generation", () => {
  test('changes when anybody changes a rule, and not otherwise', async () => {
    const before = await rulesetGeneration(connection);
    expect(await rulesetGeneration(connection)).toBe(before);
    tool('nft', 'add', 'table', 'inet', 'somebodys');
    const after = await rulesetGeneration(connection);
    expect(after).not.toBe(before);
    expect(before).not.toBeNull();
  });
});

test('a dump of thousands of sets comes whole, in many datagrams', async () => {
  tool('bash', '-c', 'for i in $(seq 1 2000); do echo "create dir-$i hash:ip"; done | ipset restore');
  const batches: NetlinkMessage[][] = [];
  await connection.dump(commandType('list'), encodeListHeads(), (messages) => batches.push(messages));
  expect(batches.length).toBeGreaterThan(1);
  expect(batches.flat()).toHaveLength(2000);
  expect(await sets.list('dir-199', Date.now)).toHaveLength(11);
});
