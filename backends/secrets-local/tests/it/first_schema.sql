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
