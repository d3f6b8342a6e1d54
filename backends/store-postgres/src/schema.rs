//! The tables. Migrations are only ever appended; what was applied is checked at every start.

use postgres_database::Component;

pub(crate) const COMPONENT: Component = Component { name: "store", migrations: &[FIRST] };

/// Texts are compared byte by byte ("C"), as every other store does. Names without a limit of length stand beside their
/// digest, which is the key, since an index takes no text longer than a third of a page. `store_record_index` holds one row
/// per record and declared index whose member is text. A sequence gives the fencing numbers: it never goes back, whatever
/// becomes of a transaction. A counter has a row per window: a caller who is late with the old window's end cannot restart
/// the new one.
const FIRST: &str = r#"
CREATE TABLE store_record (
    collection text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    revision   bigint NOT NULL CHECK (revision >= 1),
    body       text NOT NULL,
    expires_at bigint,
    PRIMARY KEY (collection, id)
);
CREATE INDEX store_record_by_expiry ON store_record (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE store_record_index (
    collection   text COLLATE "C" NOT NULL,
    name         text COLLATE "C" NOT NULL,
    value_digest bytea NOT NULL,
    id           text COLLATE "C" NOT NULL,
    PRIMARY KEY (collection, name, value_digest, id),
    FOREIGN KEY (collection, id) REFERENCES store_record (collection, id) ON DELETE CASCADE
);
CREATE INDEX store_record_index_by_record ON store_record_index (collection, id);

CREATE TABLE store_one_time (
    digest     bytea PRIMARY KEY,
    namespace  text NOT NULL,
    id         text NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX store_one_time_by_expiry ON store_one_time (expires_at);

CREATE TABLE store_counter (
    digest         bytea NOT NULL,
    window_ends_at bigint NOT NULL,
    name           text NOT NULL,
    value          bigint NOT NULL CHECK (value >= 1),
    PRIMARY KEY (digest, window_ends_at)
);
CREATE INDEX store_counter_by_end ON store_counter (window_ends_at);

CREATE SEQUENCE store_fence AS bigint MINVALUE 1 NO CYCLE CACHE 1;

CREATE TABLE store_lock (
    digest      bytea PRIMARY KEY,
    name        text NOT NULL,
    holder      text NOT NULL,
    fence       bigint NOT NULL,
    lease_until bigint NOT NULL
);
CREATE INDEX store_lock_by_lease ON store_lock (lease_until);

CREATE TABLE store_intent (
    digest    bytea PRIMARY KEY,
    call_id   text NOT NULL,
    place     bigint GENERATED ALWAYS AS IDENTITY,
    body      text NOT NULL,
    handle    text,
    opened_at bigint NOT NULL,
    outcome   text CHECK (outcome IN ('success', 'failure', 'not_started', 'unknown')),
    closed_at bigint,
    CHECK ((outcome IS NULL) = (closed_at IS NULL))
);
CREATE INDEX store_intent_open ON store_intent (opened_at, place) WHERE outcome IS NULL;
CREATE INDEX store_intent_closed ON store_intent (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE store_idempotency (
    digest         bytea PRIMARY KEY,
    scope          text NOT NULL,
    key            text NOT NULL,
    request_digest text NOT NULL,
    intent_digest  bytea NOT NULL,
    call_id        text NOT NULL,
    result         bytea,
    expires_at     bigint NOT NULL
);
CREATE INDEX store_idempotency_by_expiry ON store_idempotency (expires_at);
CREATE INDEX store_idempotency_by_call ON store_idempotency (intent_digest);

CREATE TABLE store_holder (
    one   integer PRIMARY KEY CHECK (one = 1),
    epoch bigint NOT NULL
);
INSERT INTO store_holder VALUES (1, 0);
"#;
