/**
 * The embedded store's tables. `user_version` counts the steps below, of which one that was released is never changed:
 * an older store is brought up to date by those that it has not seen, a newer one is refused. Points in time are
 * milliseconds since the epoch; JSON columns hold records from model/records.ts.
 */
export const STEPS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

  -- What outlives a restart of each service. definition: as given over the API, else NULL and the file's counts.
  -- file_print: fingerprint of the file's definition that an API definition (or removal) was made against.
  CREATE TABLE services (
    name TEXT PRIMARY KEY,
    id INTEGER NOT NULL UNIQUE,
    slot_a TEXT NOT NULL,
    slot_b TEXT NOT NULL,
    primary_slot TEXT NOT NULL CHECK (primary_slot IN ('a', 'b')),
    testing TEXT NOT NULL CHECK (testing IN ('open', 'closed')),
    held_until INTEGER,
    generation INTEGER NOT NULL,
    definition TEXT,
    file_print TEXT
  ) STRICT;

  -- Services of the file that were removed over the API.
  CREATE TABLE removals (name TEXT PRIMARY KEY, file_print TEXT NOT NULL) STRICT;

  CREATE TABLE leases (
    service TEXT NOT NULL,
    source TEXT NOT NULL,
    expires_at INTEGER,
    note TEXT,
    by TEXT NOT NULL,
    PRIMARY KEY (service, source)
  ) STRICT;

  CREATE TABLE switches (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX switches_by_state ON switches (state);

  -- What is being done to the kernel right now; a row that is found at start was interrupted.
  CREATE TABLE intents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    by TEXT NOT NULL,
    reason TEXT,
    services TEXT NOT NULL,
    switch_id TEXT,
    committed INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    services TEXT NOT NULL,
    by TEXT NOT NULL,
    text TEXT NOT NULL,
    why TEXT,
    details TEXT NOT NULL
  ) STRICT;
  CREATE TABLE journal_services (service TEXT NOT NULL, journal_id INTEGER NOT NULL, PRIMARY KEY (service, journal_id)) STRICT, WITHOUT ROWID;

  CREATE TABLE idempotency (key TEXT PRIMARY KEY, at INTEGER NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL) STRICT;

  -- What sysctls were before we changed them, for teardown.
  CREATE TABLE sysctls (key TEXT PRIMARY KEY, original TEXT NOT NULL) STRICT;
  `,
  `
  -- Since when each source has been a tester, of the file or leased: nobody else remembers who was forgotten.
  CREATE TABLE enrolments (service TEXT NOT NULL, source TEXT NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (service, source)) STRICT, WITHOUT ROWID;
  `,
  `
  -- Copies that were made of live DomUs, and what there may be of them on the host. record: see model/stage.ts.
  CREATE TABLE stages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    service TEXT NOT NULL,
    state TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  `,
];
