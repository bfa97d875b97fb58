import type { Statement } from 'better-sqlite3';
import { messageOf, Refusal } from '../lib/errors.ts';
import type { JournalRecord, SwitchRecord } from '../model/records.ts';
import type { StageRecord } from '../model/stage.ts';
import type { Slot, Testing } from '../model/state.ts';
import type { Db } from './open.ts';
import { openDatabase } from './open.ts';

/** What outlives a restart of one service. */
export interface ServiceRow {
  readonly name: string;
  readonly id: number;
  /** Names of the DomUs in each slot. */
  readonly slots: Readonly<Record<Slot, string>>;
  readonly primary: Slot;
  readonly testing: Testing;
  readonly heldUntil: number | null;
  readonly generation: number;
  /** The API's definition, where it counts instead of the file's. */
  readonly definition: unknown;
  /** Fingerprint of the file's definition that the API's was made against; null where the file had none. */
  readonly filePrint: string | null;
}

export interface Lease {
  readonly service: string;
  readonly source: string;
  readonly expiresAt: number | null;
  readonly note: string | null;
  readonly by: string;
}

export type IntentKind = 'switch' | 'confirm' | 'rollback' | 'expire' | 'change';

/** What is about to be done to the kernel. Found at start, it says what was interrupted. */
export interface Intent {
  readonly id: number;
  readonly at: number;
  readonly kind: IntentKind;
  readonly by: string;
  readonly reason: string | null;
  readonly services: readonly string[];
  readonly switchId: string | null;
  /** The kernel has the change for certain. */
  readonly committed: boolean;
}

interface Row {
  [column: string]: string | number | null;
}

/**
 * The durable state: each method is one transaction, on the disk when it returns. `write` makes one of several, and
 * `writeAhead` one that is not there for certain yet.
 */
export class Store {
  readonly #db: Db;
  #writable = true;
  readonly #statements = new Map<string, Statement<unknown[], Row>>();
  #draining: readonly SwitchRecord[] | null = null;

  private constructor(db: Db) {
    this.#db = db;
  }

  static open(directory: string): Store {
    return new Store(openDatabase(directory));
  }

  close(): void {
    this.#db.close();
  }

  /** All of it or nothing. Throws Refusal (unavailable) where the disk does not take it. */
  write<T>(work: () => T): T {
    const answer = this.#transact(work);
    this.#writable = true;
    return answer;
  }

  #transact<T>(work: () => T): T {
    try {
      return this.#db.transaction(work).immediate();
    } catch (error) {
      this.#draining = null;
      if (error instanceof Refusal || !isSqlite(error)) throw error;
      this.#writable = false;
      throw new Refusal('unavailable', `the journal cannot be written: ${messageOf(error)}`, {
        cause: error,
        hint: 'nothing was changed that was not undone; make room on the disk of the state directory, or make it writable',
      });
    }
  }

  /**
   * The same without waiting for the disk: it outlives this process at once, and the host from the next `write` on
   * (SQLite's synchronous=NORMAL, whose commits are in the system's memory). Enough for what is about to be done to the
   * kernel, which a host that dies forgets as well. A disk that has failed is waited for all the same.
   */
  writeAhead<T>(work: () => T): T {
    if (!this.#writable) return this.write(work);
    // A pragma is carried out when it is prepared, so there is nothing to be kept of it.
    this.#db.exec('PRAGMA synchronous = NORMAL');
    try {
      return this.#transact(work);
    } finally {
      this.#db.exec('PRAGMA synchronous = FULL');
    }
  }

  /** Whether the disk took what was last written. */
  get writable(): boolean {
    return this.#writable;
  }

  #all(sql: string, ...values: unknown[]): Row[] {
    return this.#statement(sql).all(...values);
  }

  #run(sql: string, ...values: unknown[]): number {
    return Number(this.#statement(sql).run(...values).lastInsertRowid);
  }

  #statement(sql: string): Statement<unknown[], Row> {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare<unknown[], Row>(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  services(): ServiceRow[] {
    return this.#all('SELECT * FROM services ORDER BY id').map((row) => ({
      name: String(row['name']),
      id: Number(row['id']),
      slots: { a: String(row['slot_a']), b: String(row['slot_b']) },
      primary: row['primary_slot'] === 'b' ? 'b' : 'a',
      testing: row['testing'] === 'open' ? 'open' : 'closed',
      heldUntil: numberOrNull(row['held_until']),
      generation: Number(row['generation']),
      definition: row['definition'] === null ? null : (JSON.parse(String(row['definition'])) as unknown),
      filePrint: textOrNull(row['file_print']),
    }));
  }

  saveService(row: ServiceRow): void {
    const definition = row.definition === null ? null : JSON.stringify(row.definition);
    this.#run(
      `INSERT INTO services (name, id, slot_a, slot_b, primary_slot, testing, held_until, generation, definition, file_print)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET slot_a = excluded.slot_a, slot_b = excluded.slot_b, primary_slot = excluded.primary_slot,
         testing = excluded.testing, held_until = excluded.held_until, generation = excluded.generation,
         definition = excluded.definition, file_print = excluded.file_print`,
      ...[
        row.name,
        row.id,
        row.slots.a,
        row.slots.b,
        row.primary,
        row.testing,
        row.heldUntil,
        row.generation,
        definition,
        row.filePrint,
      ],
    );
  }

  removeService(name: string): void {
    this.#run('DELETE FROM services WHERE name = ?', name);
    this.#run('DELETE FROM leases WHERE service = ?', name);
    this.#run('DELETE FROM enrolments WHERE service = ?', name);
  }

  /** These sources test the service, and no others: whoever is new is remembered with this time. */
  saveEnrolments(service: string, sources: readonly string[], at: number): void {
    this.#run(
      'DELETE FROM enrolments WHERE service = ? AND source NOT IN (SELECT value FROM json_each(?))',
      service,
      JSON.stringify(sources),
    );
    for (const source of sources)
      this.#run(
        'INSERT OR IGNORE INTO enrolments (service, source, since) VALUES (?, ?, ?)',
        service,
        source,
        at,
      );
  }

  /** Since when each service's longest-standing tester has been one. */
  oldestEnrolments(): Map<string, number> {
    const rows = this.#all('SELECT service, MIN(since) AS since FROM enrolments GROUP BY service');
    return new Map(rows.map((row) => [String(row['service']), Number(row['since'])]));
  }

  /** Highest id that a service ever had. */
  lastId(): number {
    const [row] = this.#all("SELECT value FROM meta WHERE key = 'last-id'");
    return Number(row?.['value'] ?? 0);
  }

  saveLastId(id: number): void {
    this.saveMeta('last-id', String(id));
  }

  meta(key: string): string | null {
    const [row] = this.#all('SELECT value FROM meta WHERE key = ?', key);
    return row === undefined ? null : String(row['value']);
  }

  saveMeta(key: string, value: string): void {
    this.#run(
      'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
      key,
      value,
    );
  }

  /** Services of the file that were removed over the API, with the fingerprint of what was removed. */
  removals(): Map<string, string> {
    return new Map(
      this.#all('SELECT * FROM removals').map((row) => [String(row['name']), String(row['file_print'])]),
    );
  }

  saveRemoval(name: string, filePrint: string): void {
    this.#run('INSERT OR REPLACE INTO removals (name, file_print) VALUES (?, ?)', name, filePrint);
  }

  forgetRemoval(name: string): void {
    this.#run('DELETE FROM removals WHERE name = ?', name);
  }

  leases(): Lease[] {
    return this.#all('SELECT * FROM leases ORDER BY service, source').map((row) => ({
      service: String(row['service']),
      source: String(row['source']),
      expiresAt: numberOrNull(row['expires_at']),
      note: textOrNull(row['note']),
      by: String(row['by']),
    }));
  }

  saveLease({ service, source, expiresAt, note, by }: Lease): void {
    this.#run(
      'INSERT OR REPLACE INTO leases (service, source, expires_at, note, by) VALUES (?, ?, ?, ?, ?)',
      service,
      source,
      expiresAt,
      note,
      by,
    );
  }

  removeLease(service: string, source: string): void {
    this.#run('DELETE FROM leases WHERE service = ? AND source = ?', service, source);
  }

  saveSwitch(record: SwitchRecord): void {
    this.#draining = null;
    this.#run(
      `INSERT INTO switches (id, state, record) VALUES (?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, record = excluded.record`,
      record.id,
      record.state,
      JSON.stringify(record),
    );
  }

  switchById(id: string): SwitchRecord | null {
    return this.#switches('WHERE id = ?', id)[0] ?? null;
  }

  /** Newest first; `before` is a switch's id. */
  switches(limit: number, before?: string): SwitchRecord[] {
    if (before === undefined) return this.#switches('ORDER BY seq DESC LIMIT ?', limit);
    return this.#switches(
      'WHERE seq < (SELECT seq FROM switches WHERE id = ?) ORDER BY seq DESC LIMIT ?',
      before,
      limit,
    );
  }

  trials(): SwitchRecord[] {
    return this.#switches("WHERE state = 'trial' ORDER BY seq");
  }

  /** Ended or not: those whose old connections are still to be cut at a time, be it past. One that failed has none. */
  draining(): readonly SwitchRecord[] {
    // Asked for before each change. Most switches have nothing left to drain, and those of many are long to read.
    return (this.#draining ??= this.#switches(
      `WHERE seq IN (SELECT seq FROM switches ORDER BY seq DESC LIMIT 200) AND state <> 'failed'
         AND json_extract(record, '$.drainUntil') IS NOT NULL ORDER BY seq DESC`,
    ));
  }

  #switches(where: string, ...values: unknown[]): SwitchRecord[] {
    return this.#all(`SELECT record FROM switches ${where}`, ...values).map(
      (row) => JSON.parse(String(row['record'])) as SwitchRecord,
    );
  }

  saveStage(record: StageRecord): void {
    this.#run(
      `INSERT INTO stages (id, service, state, record) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, record = excluded.record`,
      record.id,
      record.service,
      record.state,
      JSON.stringify(record),
    );
  }

  /** Newest first; `before` is a stage's id. */
  stages({
    service,
    limit = -1,
    before,
  }: {
    service?: string | undefined;
    limit?: number;
    before?: string | undefined;
  } = {}): StageRecord[] {
    const conditions = [
      ...(service === undefined ? [] : ['service = ?']),
      ...(before === undefined ? [] : ['seq < (SELECT seq FROM stages WHERE id = ?)']),
    ];
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const values = [service, before].filter((value) => value !== undefined);
    const rows = this.#all(`SELECT record FROM stages ${where} ORDER BY seq DESC LIMIT ?`, ...values, limit);
    return rows.map((row) => JSON.parse(String(row['record'])) as StageRecord);
  }

  stageById(id: string): StageRecord | null {
    const [row] = this.#all('SELECT record FROM stages WHERE id = ?', id);
    return row === undefined ? null : (JSON.parse(String(row['record'])) as StageRecord);
  }

  /** Those of which nothing is left on the host, and that began before this point in time. */
  forgetStages(before: number): void {
    this.#run(
      `DELETE FROM stages WHERE state IN ('failed', 'gone') AND json_array_length(record, '$.made') = 0
         AND json_extract(record, '$.startedAt') < ?`,
      before,
    );
  }

  intend(intent: Omit<Intent, 'id' | 'committed'>): number {
    const { at, kind, by, reason, services, switchId } = intent;
    return this.#run(
      'INSERT INTO intents (at, kind, by, reason, services, switch_id) VALUES (?, ?, ?, ?, ?, ?)',
      ...[at, kind, by, reason, JSON.stringify(services), switchId],
    );
  }

  /** The kernel has it now. */
  markCommitted(id: number): void {
    this.#run('UPDATE intents SET committed = 1 WHERE id = ?', id);
  }

  conclude(id: number): void {
    this.#run('DELETE FROM intents WHERE id = ?', id);
  }

  intents(): Intent[] {
    return this.#all('SELECT * FROM intents ORDER BY id').map((row) => ({
      id: Number(row['id']),
      at: Number(row['at']),
      kind: String(row['kind']) as IntentKind,
      by: String(row['by']),
      reason: textOrNull(row['reason']),
      services: JSON.parse(String(row['services'])) as string[],
      switchId: textOrNull(row['switch_id']),
      committed: row['committed'] === 1,
    }));
  }

  append(entry: Omit<JournalRecord, 'id'>): JournalRecord {
    const { at, kind, services, by, text, why, details } = entry;
    const id = this.#run(
      'INSERT INTO journal (at, kind, services, by, text, why, details) VALUES (?, ?, ?, ?, ?, ?, ?)',
      ...[at, kind, JSON.stringify(services), by, text, why, JSON.stringify(details)],
    );
    for (const service of new Set(services))
      this.#run('INSERT INTO journal_services (service, journal_id) VALUES (?, ?)', service, id);
    return { id, ...entry };
  }

  /** Newest first; with `after`, oldest first. */
  journal(page: {
    limit: number;
    before?: number | undefined;
    after?: number | undefined;
    service?: string | undefined;
  }): JournalRecord[] {
    const { limit, before, after, service } = page;
    const conditions = [
      'id < ?',
      'id > ?',
      ...(service === undefined ? [] : ['id IN (SELECT journal_id FROM journal_services WHERE service = ?)']),
    ];
    const order = after === undefined ? 'DESC' : 'ASC';
    const sql = `SELECT * FROM journal WHERE ${conditions.join(' AND ')} ORDER BY id ${order} LIMIT ?`;
    const values = [
      before ?? Number.MAX_SAFE_INTEGER,
      after ?? -1,
      ...(service === undefined ? [] : [service]),
      limit,
    ];
    return this.#all(sql, ...values).map((row) => ({
      id: Number(row['id']),
      at: Number(row['at']),
      kind: String(row['kind']) as JournalRecord['kind'],
      services: JSON.parse(String(row['services'])) as string[],
      by: String(row['by']),
      text: String(row['text']),
      why: textOrNull(row['why']),
      details: JSON.parse(String(row['details'])) as Record<string, unknown>,
    }));
  }

  /**
   * Forgets entries of the journal and switches that have ended, from before this point in time: at most `limit` of
   * each, oldest first, and none that is younger than one that stays. Answers how many are gone.
   */
  forgetHistory(before: number, limit: number): number {
    const oldest = this.#all('SELECT id, at, services FROM journal ORDER BY id LIMIT ?', limit);
    const entries = oldest.slice(
      0,
      lengthWhile(oldest, ({ at }) => Number(at) < before),
    );
    for (const { id, services } of entries) {
      for (const service of new Set(JSON.parse(String(services)) as string[]))
        this.#run('DELETE FROM journal_services WHERE service = ? AND journal_id = ?', service, id);
      this.#run('DELETE FROM journal WHERE id = ?', id);
    }
    const ended = this.#all(
      `SELECT seq, state, json_extract(record, '$.requestedAt') AS at FROM switches ORDER BY seq LIMIT ?`,
      limit,
    );
    const count = lengthWhile(ended, ({ at, state }) => Number(at) < before && state !== 'trial');
    this.#draining = null;
    for (const { seq } of ended.slice(0, count)) this.#run('DELETE FROM switches WHERE seq = ?', seq);
    return entries.length + count;
  }

  /** What was answered before `since` counts no more. */
  recall(key: string, since: number): { fingerprint: string; status: number; body: string } | null {
    const [row] = this.#all('SELECT * FROM idempotency WHERE key = ? AND at >= ?', key, since);
    if (row === undefined) return null;
    return {
      fingerprint: String(row['fingerprint']),
      status: Number(row['status']),
      body: String(row['body']),
    };
  }

  remember(key: string, at: number, fingerprint: string, answer: { status: number; body: string }): void {
    this.#run(
      'INSERT OR REPLACE INTO idempotency (key, at, fingerprint, status, body) VALUES (?, ?, ?, ?, ?)',
      key,
      at,
      fingerprint,
      answer.status,
      answer.body,
    );
  }

  forgetAnswers(before: number): void {
    this.#run('DELETE FROM idempotency WHERE at < ?', before);
  }

  sysctls(): Map<string, string> {
    return new Map(
      this.#all('SELECT * FROM sysctls').map((row) => [String(row['key']), String(row['original'])]),
    );
  }

  /** Only the first value counts: what it was before we ever changed it. */
  rememberSysctl(key: string, original: string): void {
    this.#run('INSERT OR IGNORE INTO sysctls (key, original) VALUES (?, ?)', key, original);
  }

  forgetSysctls(): void {
    this.#run('DELETE FROM sysctls');
  }
}

function lengthWhile<T>(items: readonly T[], holds: (item: T) => boolean): number {
  const end = items.findIndex((item) => !holds(item));
  return end === -1 ? items.length : end;
}

function isSqlite(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_');
}

const numberOrNull = (value: string | number | null | undefined): number | null =>
  typeof value === 'number' ? value : null;
const textOrNull = (value: string | number | null | undefined): string | null =>
  typeof value === 'string' ? value : null;
