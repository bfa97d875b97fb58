import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirectorError } from '../../src/lib/errors.ts';
import { keptFile, openDatabase, STORE_FILE } from '../../src/store/open.ts';
import { STEPS } from '../../src/store/schema.ts';
import { Store } from '../../src/store/store.ts';

const SCHEMA_1 = readFileSync(new URL('../fixtures/store-schema-1.sql', import.meta.url), 'utf8');
const AT = Date.UTC(2030, 0, 1);

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'director-upgrade-'));
  file = join(directory, STORE_FILE);
  const db = new Database(file);
  db.exec(SCHEMA_1);
  db.close();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Everything in a database, by table. */
function contents(path: string): Record<string, unknown> {
  const db = new Database(path, { readonly: true });
  const tables = db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table'").all() as {
    name: string;
    sql: string;
  }[];
  const all = Object.fromEntries(
    tables.map(({ name, sql }) => [name, { sql, rows: db.prepare(`SELECT * FROM ${name}`).all() }]),
  );
  const version = db.pragma('user_version', { simple: true });
  db.close();
  return { version, ...all };
}

/** A version to come: its schema has steps that this one's lacks. */
const NEXT = [...STEPS, "ALTER TABLE leases ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'"];
const BROKEN = [...NEXT, 'CREATE TABLE more (id INTEGER) STRICT; INSERT INTO nosuch VALUES (1)'];

describe('a store of the first schema', () => {
  it('is read with all that is in it', () => {
    const store = Store.open(directory);
    expect(
      store
        .services()
        .map(({ name, id, primary, testing, heldUntil, generation, filePrint }) => [
          name,
          id,
          primary,
          testing,
          heldUntil,
          generation,
          filePrint,
        ]),
    ).toEqual([
      ['mail', 1, 'b', 'closed', null, 7, 'print-of-mail'],
      ['web', 3, 'a', 'open', AT + 5000, 2, null],
    ]);
    expect(store.services()[1]?.definition).toEqual({ addresses: ['192.0.2.80'], ports: ['80/tcp'] });
    expect([store.lastId(), [...store.removals()]]).toEqual([3, [['ldap', 'print-of-ldap']]]);
    expect(store.leases()).toEqual([
      { service: 'mail', source: '198.51.100.20/32', expiresAt: AT + 28_800_000, note: 'Ann', by: 'ann' },
    ]);
    expect(store.trials()).toMatchObject([{ id: 'sw-2', services: ['web'], confirmBy: AT + 600_000 }]);
    expect(store.switchById('sw-1')).toMatchObject({ state: 'confirmed', kept: 3, udpFlushed: 1 });
    expect(store.intents()).toMatchObject([{ kind: 'switch', switchId: 'sw-2', committed: false }]);
    expect(store.journal({ limit: 9, service: 'web' })).toMatchObject([{ text: 'web was switched' }]);
    expect(store.recall('a-key', 0)).toEqual({ fingerprint: 'print', status: 201, body: '{}' });
    expect([...store.sysctls()]).toEqual([['net/ipv4/ip_forward', '0']]);
    expect(store.meta('spelling')).toBe('[["-j RETURN","-j RETURN"]]');
    store.close();
  });

  it('has, once it is brought up to date, the tables of one that is new', () => {
    Store.open(directory).close();
    const fresh = mkdtempSync(join(directory, 'fresh-'));
    Store.open(fresh).close();
    const tables = (path: string) => {
      const db = new Database(path, { readonly: true });
      const rows = db.prepare('SELECT type, name, sql FROM sqlite_master ORDER BY type, name').all();
      db.close();
      return rows;
    };
    expect(tables(file)).toEqual(tables(join(fresh, STORE_FILE)));
  });
});

describe('a store of the schema before', () => {
  beforeEach(() => {
    Store.open(directory).close();
    rmSync(keptFile(file, 1));
  });

  it('is brought up to date with nothing lost, and kept beside it as it was', () => {
    const before = contents(file);
    const db = openDatabase(directory, NEXT);
    expect(db.prepare('SELECT source, colour FROM leases').all()).toEqual([
      { source: '198.51.100.20/32', colour: 'grey' },
    ]);
    expect(db.pragma('user_version', { simple: true })).toBe(NEXT.length);
    db.close();
    expect(contents(keptFile(file, STEPS.length))).toEqual(before);
    expect({ ...contents(file), version: before['version'], leases: before['leases'] }).toEqual(before);
  });

  it('opens for who goes back to the version before, once the kept one is put in its place', () => {
    openDatabase(directory, NEXT).close();
    expect(() => Store.open(directory)).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/newer version .*schema/) as string,
        hint: expect.stringContaining(keptFile(file, STEPS.length)) as string,
      }) as Error,
    );
    writeFileSync(file, readFileSync(keptFile(file, STEPS.length)));
    for (const rest of ['-wal', '-shm']) rmSync(`${file}${rest}`, { force: true });
    const store = Store.open(directory);
    expect(store.trials()).toHaveLength(1);
    store.close();
  });

  it('is unchanged where a step fails, whatever the steps before it did', () => {
    const before = contents(file);
    expect(() => openDatabase(directory, BROKEN)).toThrow(DirectorError);
    expect(contents(file)).toEqual(before);
    const store = Store.open(directory);
    expect(store.services()).toHaveLength(2);
    store.close();
  });

  it('is brought up to date although an earlier attempt died while it was kept', () => {
    writeFileSync(`${keptFile(file, STEPS.length)}.unfinished`, 'half of it');
    const before = contents(file);
    openDatabase(directory, NEXT).close();
    expect(contents(keptFile(file, STEPS.length))).toEqual(before);
    expect(readdirSync(directory).filter((name) => name.endsWith('.unfinished'))).toEqual([]);
  });
});

it('a store of this schema is not kept twice, and a new one not at all', () => {
  Store.open(directory).close();
  const fresh = mkdtempSync(join(directory, 'fresh-'));
  openDatabase(fresh, NEXT).close();
  expect(existsSync(keptFile(file, STEPS.length))).toBe(false);
  expect(readdirSync(fresh).filter((name) => name.includes('schema'))).toEqual([]);
});
