import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirectorError, Refusal } from '../../src/lib/errors.ts';
import type { JournalRecord, SwitchRecord } from '../../src/model/records.ts';
import { STORE_FILE } from '../../src/store/open.ts';
import { STEPS } from '../../src/store/schema.ts';
import { Store } from '../../src/store/store.ts';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

let directory: string;
let file: string;
const writers: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'director-store-'));
  file = join(directory, STORE_FILE);
});
afterEach(() => {
  for (const writer of writers.splice(0)) writer.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

const entry = (n: number, services: readonly string[] = []): Omit<JournalRecord, 'id'> => ({
  at: n,
  kind: 'hold',
  services,
  by: 'somebody',
  text: `the ${n}th`,
  why: n % 2 === 0 ? 'even' : null,
  details: { n },
});

/** A store with something in it, closed. */
function filled(): void {
  const store = Store.open(directory);
  store.write(() => {
    for (let n = 1; n <= 500; n++) store.append(entry(n, ['mail']));
  });
  store.close();
}

function refusalToOpen(): DirectorError {
  try {
    Store.open(directory).close();
  } catch (error) {
    if (error instanceof DirectorError) return error;
    throw error;
  }
  throw new Error('it could be opened');
}

interface Writer {
  readonly child: ChildProcess;
  readonly lines: AsyncIterator<string>;
}

/** Writes so many times, and then only has the store open. */
function writer(times = Infinity): Writer {
  const compiled = path('../../dist/store/store.js');
  const child = spawn(
    process.execPath,
    [path('./support/store-writer.mjs'), directory, compiled, `${times}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  writers.push(child);
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

describe('a store that cannot be opened', () => {
  it('is another process’s: told as such, and that one keeps all that it wrote', async () => {
    const { child, lines } = writer(3);
    for (const line of ['open', '1', '2', '3']) expect((await lines.next()).value).toBe(line);
    const refused = refusalToOpen();
    expect(refused.message).toContain('another director has');
    expect(refused.hint).toContain('stop the other one');
    child.kill('SIGKILL');
    await once(child, 'close');
    const store = Store.open(directory);
    expect(store.lastId()).toBe(3);
    store.close();
  });

  it('was written by a newer version: told as such, and unchanged', () => {
    filled();
    const db = new Database(file);
    db.pragma(`user_version = ${STEPS.length + 1}`);
    db.close();
    const before = readFileSync(file);
    const refused = refusalToOpen();
    expect(refused.message).toMatch(/newer version .*schema/);
    expect(refused.hint).toContain('the kernel was not touched');
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it.each([
    [
      'no database at all',
      (): Buffer =>
        Buffer.from(
          'this is a text, and long enough to be read as a header of a database file, which it is not\n'.repeat(
            20,
          ),
        ),
    ],
    ['cut off in its middle', (): Buffer => readFileSync(file).subarray(0, 4096 * 3)],
    [
      'overwritten in its middle',
      (): Buffer => {
        const bytes = Buffer.from(readFileSync(file));
        return bytes.fill(0xa5, 4096 * 2, bytes.length - 4096);
      },
    ],
  ])('is damaged (%s): told as such with what to do, and unchanged', (_, damage) => {
    filled();
    const damaged = damage();
    writeFileSync(file, damaged);
    const refused = refusalToOpen();
    expect(refused.message).toContain(`${file} is damaged`);
    expect(refused.hint).toMatch(/kernel was not touched.*backup/);
    expect(readFileSync(file).equals(damaged)).toBe(true);
    expect(readdirSync(directory).filter((name) => !name.startsWith(STORE_FILE))).toEqual([]);
  });

  it.each(['with a store in it', 'without one'])(
    'lies in a directory that cannot be written (%s)',
    (what) => {
      filled();
      const kept = join(directory, 'kept');
      mkdirSync(kept);
      copyFileSync(file, join(kept, STORE_FILE));
      const mounted = join(directory, 'mounted');
      mkdirSync(mounted);
      // Permissions do not stop root; a file system that is read-only does. The mount is this test's own namespace's.
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', mounted]);
      try {
        if (what === 'with a store in it') copyFileSync(join(kept, STORE_FILE), join(mounted, STORE_FILE));
        execFileSync('mount', ['-o', 'remount,ro', mounted]);
        directory = mounted;
        const refused = refusalToOpen();
        expect(refused.message).toMatch(/cannot open the store/);
        expect(refused.hint).toContain('writable');
      } finally {
        execFileSync('umount', [mounted]);
        directory = join(mounted, '..');
      }
    },
  );
});

describe('a writer that is killed', () => {
  it('loses nothing that it acknowledged and leaves nothing half done, twenty times over', async () => {
    let acknowledged = 0;
    for (let round = 0; round < 20; round++) {
      const { child, lines } = writer();
      expect((await lines.next()).value).toBe('open');
      // Another moment each time: after so many writes, and wherever the next one is by then.
      for (let n = 0; n < 1 + round * 3; n++) acknowledged = Number((await lines.next()).value);
      child.kill('SIGKILL');
      for (let next = await lines.next(); next.done !== true; next = await lines.next())
        acknowledged = Number(next.value);

      const store = Store.open(directory);
      const [last] = store.journal({ limit: 1 });
      expect(last?.details['n']).toBeGreaterThanOrEqual(acknowledged);
      expect(last?.details['n']).toBeLessThanOrEqual(acknowledged + 1);
      // All of a transaction, or nothing of it.
      expect(store.lastId()).toBe(last?.details['n']);
      // What was begun and came to nothing is known, and nothing else; the next writer begins it anew.
      const begun = store.intents();
      expect(begun.map(({ at }) => at)).toEqual(begun.length === 0 ? [] : [store.lastId() + 1]);
      for (const { id } of begun) store.conclude(id);
      expect(Math.max(...store.leases().map(({ expiresAt }) => expiresAt ?? 0))).toBe(last?.details['n']);
      const all = store.journal({ limit: 100_000, after: 0 }).map(({ details }) => details['n']);
      expect(all).toEqual(all.map((_, index) => index + 1));
      store.close();
    }
  });
});

describe('a host that dies', () => {
  const diskFile = (): string => join(directory, 'disk');
  const mountOf = (name: string): string => join(directory, name);

  beforeEach(() => {
    execFileSync('truncate', ['-s', '24M', diskFile()]);
    execFileSync('mkfs.ext4', ['-q', '-F', diskFile()]);
    mount(diskFile(), 'mounted');
  });
  afterEach(() => {
    for (const name of ['mounted', 'after']) {
      try {
        execFileSync('umount', [mountOf(name)], { stdio: 'ignore' });
      } catch {
        // It was not mounted.
      }
    }
  });

  function mount(disk: string, name: string): string {
    mkdirSync(mountOf(name));
    execFileSync('mount', ['-o', 'loop', disk, mountOf(name)]);
    return mountOf(name);
  }

  /** What is on the disk at this moment, whatever the system still has in its memory. */
  function afterPowerCut(): Store {
    copyFileSync(diskFile(), join(directory, 'copy'));
    return Store.open(mount(join(directory, 'copy'), 'after'));
  }

  it('has on its disk what was acknowledged, and what was written ahead of that', () => {
    const store = Store.open(mountOf('mounted'));
    const services = ['mail'];
    const intent = { at: 1, kind: 'change', by: 'b', reason: null, services, switchId: null } as const;
    store.writeAhead(() => store.intend(intent));
    store.write(() => store.append(entry(1)));
    store.writeAhead(() => store.append(entry(2)));
    const found = afterPowerCut();
    expect(found.intents()).toMatchObject([intent]);
    const entries = found.journal({ limit: 10, after: 0 }).map(({ details }) => details['n']);
    // Of what nobody waited for there may be all or nothing.
    expect([[1], [1, 2]]).toContainEqual(entries);
    found.close();
    store.close();
  });
});

describe('an open store', () => {
  let store: Store;
  beforeEach(() => {
    store = Store.open(directory);
  });
  afterEach(() => store.close());

  it('takes a transaction whole or not at all', () => {
    const work = (): never => {
      store.append(entry(1));
      store.saveLastId(7);
      throw new Error('no');
    };
    expect(() => store.write(work)).toThrow('no');
    expect(store.journal({ limit: 10 })).toEqual([]);
    expect(store.lastId()).toBe(0);
  });

  it('tells what the disk does not take as a refusal, and has changed nothing', () => {
    store.append(entry(1));
    const write = (): void =>
      store.write(() => {
        store.append(entry(2));
        const full = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
        throw full;
      });
    expect(write).toThrow(Refusal);
    expect(store.journal({ limit: 10 })).toHaveLength(1);
  });

  it('gives the journal in pages, backwards and forwards, of everything or of one service, with no gap and no double', () => {
    store.write(() => {
      for (let n = 1; n <= 25; n++)
        store.append(entry(n, n % 5 === 0 ? ['mail', 'ldap'] : n % 2 === 0 ? ['ldap'] : []));
    });
    for (const service of [undefined, 'mail', 'ldap', 'nosuch']) {
      const all = store.journal({ limit: 100, service });
      const backwards: JournalRecord[] = [];
      for (let page = store.journal({ limit: 4, service }); page.length > 0;) {
        backwards.push(...page);
        page = store.journal({ limit: 4, service, before: page.at(-1)!.id });
      }
      expect(backwards).toEqual(all);
      const forwards: JournalRecord[] = [];
      for (let page = store.journal({ limit: 4, service, after: 0 }); page.length > 0;) {
        forwards.push(...page);
        page = store.journal({ limit: 4, service, after: page.at(-1)!.id });
      }
      expect(forwards).toEqual(all.toReversed());
      expect(all.every(({ services }) => service === undefined || services.includes(service))).toBe(true);
    }
    expect(store.journal({ limit: 100 })).toHaveLength(25);
    expect(store.journal({ limit: 100, service: 'mail' })).toHaveLength(5);
    const [newest] = store.journal({ limit: 1 });
    expect(newest).toMatchObject(entry(25, ['mail', 'ldap']));
  });

  it('gives switches in pages, newest first, and remembers of a switch what it became', () => {
    const record = (n: number, state: SwitchRecord['state']): SwitchRecord =>
      ({ id: `sw-${n}`, services: ['mail'], state, drainUntil: null }) as unknown as SwitchRecord;
    for (let n = 1; n <= 7; n++) store.saveSwitch(record(n, 'trial'));
    store.saveSwitch(record(2, 'confirmed'));
    expect(store.switchById('sw-2')).toEqual(record(2, 'confirmed'));
    expect(store.switches(3).map(({ id }) => id)).toEqual(['sw-7', 'sw-6', 'sw-5']);
    expect(store.switches(3, 'sw-3').map(({ id }) => id)).toEqual(['sw-2', 'sw-1']);
    expect(store.switches(3, 'sw-none')).toEqual([]);
    expect(store.trials().map(({ id }) => id)).toEqual(['sw-1', 'sw-3', 'sw-4', 'sw-5', 'sw-6', 'sw-7']);
    expect(store.switchById('sw-none')).toBeNull();
  });

  it('keeps everything over a restart, as it was', () => {
    store.write(() => {
      store.saveService({
        name: 'mail',
        id: 3,
        slots: { a: 'mail-a', b: 'mail-b' },
        primary: 'b',
        testing: 'closed',
        heldUntil: 5,
        generation: 9,
        definition: { ports: ['25/tcp'] },
        filePrint: 'print',
      });
      store.saveLease({
        service: 'mail',
        source: '10.0.0.0/8',
        expiresAt: null,
        note: 'Ann',
        by: 'somebody',
      });
      store.saveRemoval('ldap', 'print');
      store.rememberSysctl('net/ipv4/ip_forward', '0');
      store.rememberSysctl('net/ipv4/ip_forward', '1');
    });
    const all = (): unknown => [
      store.services(),
      store.leases(),
      [...store.removals()],
      [...store.sysctls()],
    ];
    const before = all();
    store.close();
    store = Store.open(directory);
    expect(all()).toEqual(before);
    expect(store.sysctls().get('net/ipv4/ip_forward')).toBe('0');
    store.removeService('mail');
    expect([store.services(), store.leases()]).toEqual([[], []]);
  });
});
