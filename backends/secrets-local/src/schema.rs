//! The tables. `keyring` holds any number of data keys, so that a new master key rewraps only them, and a new data key
//! is one more row.

use sqlite_file::Layout;

pub(crate) const LAYOUT: Layout = Layout {
    application_id: 0x494C_5345, // "ILSE"
    migrations: &[FIRST, SECOND, THIRD],
    secure_delete: true,
    readers: 2,
};

const FIRST: &str = "
CREATE TABLE header (
    one         INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    salt        BLOB NOT NULL,
    check_nonce BLOB NOT NULL,
    check_value BLOB NOT NULL
) STRICT;

CREATE TABLE keyring (
    key_id     INTEGER NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    nonce      BLOB NOT NULL,
    wrapped    BLOB NOT NULL
) STRICT;

CREATE TABLE secret (
    path            TEXT NOT NULL PRIMARY KEY,
    current_version INTEGER NOT NULL CHECK (current_version >= 1),
    cas_required    INTEGER NOT NULL DEFAULT 0,
    max_versions    INTEGER NOT NULL DEFAULT 10 CHECK (max_versions >= 1)
) STRICT, WITHOUT ROWID;

CREATE TABLE version (
    path       TEXT NOT NULL REFERENCES secret (path) ON DELETE CASCADE,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER,
    destroyed  INTEGER NOT NULL DEFAULT 0,
    key_id     INTEGER NOT NULL REFERENCES keyring (key_id),
    nonce      BLOB,
    sealed     BLOB,
    PRIMARY KEY (path, version),
    CHECK (destroyed = (sealed IS NULL) AND (sealed IS NULL) = (nonce IS NULL))
) STRICT;
";

/// Rules and custom metadata may stand before the first version, as in KV v2. A constraint cannot be changed in place, and
/// dropping a table deletes what refers to it, so the versions move first.
const SECOND: &str = "
CREATE TABLE secret_next (
    path            TEXT NOT NULL PRIMARY KEY,
    current_version INTEGER NOT NULL CHECK (current_version >= 0),
    cas_required    INTEGER NOT NULL DEFAULT 0,
    max_versions    INTEGER NOT NULL DEFAULT 10 CHECK (max_versions >= 1),
    custom          TEXT NOT NULL DEFAULT '{}'
) STRICT, WITHOUT ROWID;
INSERT INTO secret_next (path, current_version, cas_required, max_versions)
    SELECT path, current_version, cas_required, max_versions FROM secret;

CREATE TABLE version_next (
    path       TEXT NOT NULL REFERENCES secret_next (path) ON DELETE CASCADE,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER,
    destroyed  INTEGER NOT NULL DEFAULT 0,
    key_id     INTEGER NOT NULL REFERENCES keyring (key_id),
    nonce      BLOB,
    sealed     BLOB,
    PRIMARY KEY (path, version),
    CHECK (destroyed = (sealed IS NULL) AND (sealed IS NULL) = (nonce IS NULL))
) STRICT;
INSERT INTO version_next SELECT path, version, created_at, deleted_at, destroyed, key_id, nonce, sealed FROM version;
DROP TABLE version;
DROP TABLE secret;
ALTER TABLE secret_next RENAME TO secret;
ALTER TABLE version_next RENAME TO version;
";

/// When the master key changed; and, while it changes, the new one's salt and check value, and the data keys wrapped under it.
const THIRD: &str = "
ALTER TABLE header ADD COLUMN master_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE header ADD COLUMN since INTEGER;

CREATE TABLE rekey (
    one         INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    since       INTEGER NOT NULL,
    salt        BLOB NOT NULL,
    check_nonce BLOB NOT NULL,
    check_value BLOB NOT NULL
) STRICT;

CREATE TABLE rewrapped (
    key_id  INTEGER NOT NULL PRIMARY KEY REFERENCES keyring (key_id),
    nonce   BLOB NOT NULL,
    wrapped BLOB NOT NULL
) STRICT;
";
