//! The tables of the journal. Migrations are only ever appended; a file that a newer binary has migrated is refused at start.

use sqlite_file::Layout;

pub(crate) const LAYOUT: Layout = Layout {
    application_id: 0x494C_574A, // "ILWJ"
    migrations: &[FIRST],
    secure_delete: false,
    readers: 2,
};

/// `run.key` numbers runs in the order of their starts and is what the other tables name, so that an event's row is short.
/// `event` is what a body is replayed over: what happened (`start`, `done`, `fired`, `signal`, `cancel`) and what the body
/// asked for then (`activity`, `timer`, `patch`, with the command's number). `inbox` is what happened and was not applied;
/// rows of a parked run are `held`, so that nobody reads past them. Times are milliseconds since the Unix epoch.
const FIRST: &str = "
CREATE TABLE lease (
    one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    host       TEXT NOT NULL,
    owner      TEXT NOT NULL,
    epoch      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE run (
    key            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id             TEXT NOT NULL UNIQUE,
    workflow       TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('running', 'parked', 'completed', 'failed', 'cancelled')),
    input          TEXT NOT NULL,
    status         TEXT,
    result         TEXT,
    parked_because TEXT,
    restored       INTEGER NOT NULL DEFAULT 0,
    seed           TEXT NOT NULL,
    started_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX run_by_state ON run (state, key);
CREATE INDEX run_finished ON run (updated_at) WHERE state IN ('completed', 'failed', 'cancelled');

CREATE TABLE event (
    run  INTEGER NOT NULL REFERENCES run (key) ON DELETE CASCADE,
    seq  INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    kind TEXT NOT NULL,
    cmd  INTEGER,
    name TEXT,
    data TEXT,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE inbox (
    id   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    run  INTEGER NOT NULL REFERENCES run (key) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    cmd  INTEGER,
    name TEXT,
    data TEXT,
    held INTEGER NOT NULL
) STRICT;
CREATE INDEX inbox_ready ON inbox (id) WHERE held = 0;
CREATE INDEX inbox_by_run ON inbox (run);

CREATE TABLE activity (
    run        INTEGER NOT NULL REFERENCES run (key) ON DELETE CASCADE,
    cmd        INTEGER NOT NULL,
    name       TEXT NOT NULL,
    input      TEXT NOT NULL,
    options    TEXT NOT NULL,
    shielded   INTEGER NOT NULL,
    attempt    INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER NOT NULL DEFAULT 0,
    intent     TEXT,
    last_error TEXT,
    cancelled  TEXT,
    PRIMARY KEY (run, cmd)
) STRICT, WITHOUT ROWID;

CREATE TABLE timer (
    run     INTEGER NOT NULL REFERENCES run (key) ON DELETE CASCADE,
    cmd     INTEGER NOT NULL,
    fire_at INTEGER NOT NULL,
    PRIMARY KEY (run, cmd)
) STRICT, WITHOUT ROWID;
CREATE INDEX timer_by_due ON timer (fire_at);
";
