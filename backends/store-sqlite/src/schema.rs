//! The tables. Migrations are only ever appended; a file that a newer binary has migrated is refused at start.

use sqlite_file::Layout;

pub(crate) const LAYOUT: Layout = Layout {
    application_id: 0x494C_5354, // "ILST"
    migrations: &[FIRST],
    secure_delete: false,
    readers: 2,
};

/// `record_index` holds one row per record and declared index whose member is text. `fence` is one sequence for all
/// locks, so that a lock's row can go and its numbers still never repeat. A counter has a row per window: a caller who
/// is late with the old window's end cannot restart the new one.
const FIRST: &str = "
CREATE TABLE record (
    collection TEXT NOT NULL,
    id         TEXT NOT NULL,
    revision   INTEGER NOT NULL CHECK (revision >= 1),
    body       TEXT NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (collection, id)
) STRICT;
CREATE INDEX record_by_expiry ON record (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE record_index (
    collection TEXT NOT NULL,
    name       TEXT NOT NULL,
    value      TEXT NOT NULL,
    id         TEXT NOT NULL,
    PRIMARY KEY (collection, name, value, id),
    FOREIGN KEY (collection, id) REFERENCES record (collection, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX record_index_by_record ON record_index (collection, id);

CREATE TABLE one_time (
    namespace  TEXT NOT NULL,
    id         TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX one_time_by_expiry ON one_time (expires_at);

CREATE TABLE counter (
    name           TEXT NOT NULL,
    window_ends_at INTEGER NOT NULL,
    value          INTEGER NOT NULL CHECK (value >= 1),
    PRIMARY KEY (name, window_ends_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX counter_by_end ON counter (window_ends_at);

CREATE TABLE lock (
    name        TEXT NOT NULL PRIMARY KEY,
    holder      TEXT NOT NULL,
    fence       INTEGER NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX lock_by_lease ON lock (lease_until);

CREATE TABLE fence (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL
) STRICT;
INSERT INTO fence VALUES (1, 0);

CREATE TABLE intent (
    call_id   TEXT NOT NULL PRIMARY KEY,
    body      TEXT NOT NULL,
    handle    TEXT,
    opened_at INTEGER NOT NULL,
    outcome   TEXT CHECK (outcome IN ('success', 'failure', 'not_started', 'unknown')),
    closed_at INTEGER,
    CHECK ((outcome IS NULL) = (closed_at IS NULL))
) STRICT;
CREATE INDEX intent_open ON intent (opened_at) WHERE outcome IS NULL;
CREATE INDEX intent_closed ON intent (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE idempotency (
    scope      TEXT NOT NULL,
    key        TEXT NOT NULL,
    digest     TEXT NOT NULL,
    call_id    TEXT NOT NULL,
    result     BLOB,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT;
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
CREATE INDEX idempotency_by_call ON idempotency (call_id);
";
