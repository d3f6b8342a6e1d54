//! The table. Migrations are only ever appended; what was applied is checked at every start.

use postgres_database::Component;

pub(crate) const COMPONENT: Component = Component { name: "audit", migrations: &[FIRST] };

/// A record is inserted, never changed and never deleted by an ordinary statement; only its sealed payload may go.
const FIRST: &str = r#"
CREATE TABLE audit_record (
    origin   text COLLATE "C" NOT NULL,
    position bigint NOT NULL CHECK (position >= 1),
    line     text COLLATE "C" NOT NULL,
    hash     bytea NOT NULL CHECK (length(hash) = 32),
    payload  bytea,
    PRIMARY KEY (origin, position)
);

CREATE FUNCTION audit_record_unchanged() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF NEW.origin IS DISTINCT FROM OLD.origin OR NEW.position IS DISTINCT FROM OLD.position
       OR NEW.line IS DISTINCT FROM OLD.line OR NEW.hash IS DISTINCT FROM OLD.hash
       OR NEW.payload IS NOT NULL THEN
        RAISE EXCEPTION 'the audit log is append-only';
    END IF;
    RETURN NEW;
END
$body$;
CREATE TRIGGER audit_record_no_update BEFORE UPDATE ON audit_record
    FOR EACH ROW EXECUTE FUNCTION audit_record_unchanged();

CREATE FUNCTION audit_record_kept() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$body$;
CREATE TRIGGER audit_record_no_delete BEFORE DELETE ON audit_record
    FOR EACH ROW EXECUTE FUNCTION audit_record_kept();
CREATE TRIGGER audit_record_no_truncate BEFORE TRUNCATE ON audit_record
    FOR EACH STATEMENT EXECUTE FUNCTION audit_record_kept();
"#;
