//! How `audit.db` is laid out, step by step: a file of an older version is brought forward when it is opened for writing,
//! and never back. A log that nobody writes any more keeps the layout it has; readers know them all. Next: [`crate::file`],
//! which applies them.

/// The steps, oldest first; `PRAGMA user_version` says how many a file has taken. Files from before that count say 0 and
/// have taken one.
pub(crate) const STEPS: [&str; 3] = [FIRST, SEARCH_AND_RETENTION, PAYLOADS];

/// The first layout with the columns of a search.
pub(crate) const WITH_SEARCH: usize = 2;

// What is looked up by column is generated from the line, so that nothing beside the line can say something else.
const FIRST: &str = "
CREATE TABLE log(
  id INTEGER PRIMARY KEY CHECK(id = 1), origin TEXT NOT NULL, public_key TEXT NOT NULL, made_at TEXT NOT NULL
) STRICT;
CREATE TABLE audit(
  seq INTEGER PRIMARY KEY, line TEXT NOT NULL, hash BLOB NOT NULL,
  phase TEXT GENERATED ALWAYS AS (line ->> '$.interlock.phase') VIRTUAL,
  action TEXT GENERATED ALWAYS AS (line ->> '$.event.action') VIRTUAL,
  request_id TEXT GENERATED ALWAYS AS (line ->> '$.http.request.id') VIRTUAL,
  issuer TEXT GENERATED ALWAYS AS (line ->> '$.interlock.issuer') VIRTUAL,
  subject TEXT GENERATED ALWAYS AS (line ->> '$.user.id') VIRTUAL
) STRICT;
CREATE INDEX audit_by_request ON audit(request_id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_by_actor ON audit(subject, issuer) WHERE subject IS NOT NULL;
CREATE INDEX audit_writes ON audit(seq) WHERE phase IN ('intent', 'outcome');
CREATE INDEX audit_opened ON audit(seq) WHERE action = 'audit.opened';
CREATE TABLE checkpoint(size INTEGER PRIMARY KEY, note TEXT NOT NULL, frontier BLOB NOT NULL) STRICT;

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_only_next BEFORE INSERT ON audit
  WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit)
  BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint BEGIN SELECT raise(ABORT, 'append-only'); END;
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint BEGIN SELECT raise(ABORT, 'append-only'); END;
CREATE TRIGGER checkpoint_only_next BEFORE INSERT ON checkpoint
  WHEN NEW.size <= (SELECT coalesce(max(size), -1) FROM checkpoint)
  BEGIN SELECT raise(ABORT, 'append-only'); END;
CREATE TRIGGER log_no_update BEFORE UPDATE ON log BEGIN SELECT raise(ABORT, 'append-only'); END;
CREATE TRIGGER log_no_delete BEFORE DELETE ON log BEGIN SELECT raise(ABORT, 'append-only'); END;
CREATE TRIGGER log_only_once BEFORE INSERT ON log WHEN (SELECT count(*) FROM log) > 0
  BEGIN SELECT raise(ABORT, 'append-only'); END;
";

// A time is kept with nine digits after its point, so that it sorts as text. Success is most of a log and no index finds
// it faster. A record leaves by one way only: its leaf stands in `removed`, from the beginning on and without a gap, and a
// record of the log itself says so (`audit.retained`).
const SEARCH_AND_RETENTION: &str = r#"
ALTER TABLE audit ADD COLUMN at TEXT GENERATED ALWAYS AS (
  substr(line ->> '$."@timestamp"', 1, 19) || '.' ||
  substr(rtrim(substr(line ->> '$."@timestamp"', 21), 'Z') || '000000000', 1, 9)
) VIRTUAL;
ALTER TABLE audit ADD COLUMN name TEXT GENERATED ALWAYS AS (line ->> '$.user.name') VIRTUAL;
ALTER TABLE audit ADD COLUMN server TEXT GENERATED ALWAYS AS (line ->> '$.interlock.server') VIRTUAL;
ALTER TABLE audit ADD COLUMN tool TEXT GENERATED ALWAYS AS (line ->> '$.interlock.tool') VIRTUAL;
ALTER TABLE audit ADD COLUMN change TEXT GENERATED ALWAYS AS (line ->> '$.interlock.change') VIRTUAL;
ALTER TABLE audit ADD COLUMN outcome TEXT GENERATED ALWAYS AS (line ->> '$.interlock.outcome') VIRTUAL;
ALTER TABLE audit ADD COLUMN code TEXT GENERATED ALWAYS AS (line ->> '$.event.code') VIRTUAL;
CREATE INDEX audit_by_time ON audit(at);
CREATE INDEX audit_by_name ON audit(name) WHERE name IS NOT NULL;
CREATE INDEX audit_by_tool ON audit(tool) WHERE tool IS NOT NULL;
CREATE INDEX audit_by_change ON audit(change) WHERE change IS NOT NULL;
CREATE INDEX audit_by_code ON audit(code) WHERE code IS NOT NULL;
CREATE INDEX audit_by_outcome ON audit(outcome) WHERE outcome NOT IN ('success', 'pending');
CREATE INDEX audit_retained ON audit(seq) WHERE action = 'audit.retained';

CREATE TABLE removed(last INTEGER PRIMARY KEY, first INTEGER NOT NULL, leaves BLOB NOT NULL) STRICT;
CREATE TRIGGER removed_no_update BEFORE UPDATE ON removed BEGIN SELECT raise(ABORT, 'append-only'); END;
CREATE TRIGGER removed_no_delete BEFORE DELETE ON removed BEGIN SELECT raise(ABORT, 'append-only'); END;
CREATE TRIGGER removed_only_next BEFORE INSERT ON removed
  WHEN NEW.first IS NOT (SELECT coalesce(max(last), 0) + 1 FROM removed) OR NEW.last < NEW.first
    OR length(NEW.leaves) IS NOT 32 * (NEW.last - NEW.first + 1)
    OR NEW.last > (SELECT coalesce(max(line ->> '$.interlock.removed_last'), 0) FROM audit
                   WHERE action = 'audit.retained')
  BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
DROP TRIGGER audit_no_delete;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
  WHEN OLD.seq > (SELECT coalesce(max(last), 0) FROM removed)
  BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
"#;

// Beside the records, so that a payload can be destroyed and the records stand.
const PAYLOADS: &str = "
CREATE TABLE payload(seq INTEGER PRIMARY KEY, key_id TEXT NOT NULL, sealed BLOB NOT NULL) STRICT;
CREATE TRIGGER payload_no_update BEFORE UPDATE ON payload
  BEGIN SELECT raise(ABORT, 'a payload is never changed'); END;
";
