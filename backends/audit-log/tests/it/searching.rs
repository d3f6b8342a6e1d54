//! Search and export by every filter, over several logs, and the names and values of the Elastic Common Schema.

use std::path::Path;

use audit_log::AuditKeys;
use audit_log::offline::search::{Before, search};
use audit_log::offline::{self, Format, VerifyOptions, export, verify};
use platform::Json;
use platform::audit::{AuditEntry, AuditFilter, AuditLog, AuditPosition, Outcome, Phase};

use crate::fixture::{Fixture, aside, intent, tool_call};

fn requests(records: &[Json]) -> Vec<&str> {
    records.iter().map(|record| record.pointer("/http/request/id").and_then(Json::as_str).unwrap_or("-")).collect()
}

fn found(state: &Path, filter: &AuditFilter) -> Vec<String> {
    let page = search(state, filter, None, 100).unwrap();
    assert_eq!(page.next, None);
    let found: Vec<String> = requests(&page.records).iter().map(|id| (*id).to_owned()).collect();
    // An export has the same records, oldest first, and so has the log itself.
    let mut out = Vec::new();
    export(state, Format::JsonLines, filter, &mut out).unwrap();
    let mut exported: Vec<Json> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    exported.reverse();
    assert_eq!(requests(&exported), found);
    let mut latest = offline::tail(state, filter, 100).unwrap();
    latest.reverse();
    assert_eq!(requests(&latest), found);
    found
}

fn call(person: &str, request: &str, change: impl FnOnce(&mut AuditEntry)) -> AuditEntry {
    let mut entry = tool_call(person, request);
    change(&mut entry);
    entry
}

#[tokio::test]
async fn t25_every_filter_finds_its_own_and_nothing_else() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    for entry in [
        call("alice", "one", |e| e.at = at("2026-03-01T00:00:00Z")),
        call("bob", "two", |e| {
            e.at = at("2026-03-01T00:00:00.5Z");
            e.outcome = Outcome::Refused;
            e.code = Some("denied".to_owned());
        }),
        call("carol", "three", |e| {
            e.at = at("2026-03-01T00:00:01Z");
            e.outcome = Outcome::Unknown;
            e.tool.as_mut().unwrap().server = "github".to_owned();
            e.actor.as_mut().unwrap().name = "Carol C.".to_owned();
        }),
        call("alice", "four", |e| {
            e.at = at("2026-03-02T00:00:00Z");
            e.phase = Phase::Outcome;
            e.tool.as_mut().unwrap().tool = "deploy".to_owned();
            e.facts.insert("change".to_owned(), Json::from("CHG-7"));
        }),
    ] {
        log.append(entry).await.unwrap();
    }
    let path = fixture.path();
    let all = || AuditFilter { until: Some(at("2026-04-01T00:00:00Z")), ..AuditFilter::default() };
    let text = |value: &str| Some(value.to_owned());
    assert_eq!(found(path, &all()), ["four", "three", "two", "one"]);
    for (filter, due) in [
        (AuditFilter { person: text("alice"), ..all() }, vec!["four", "one"]),
        (AuditFilter { person: text("Carol C."), ..all() }, vec!["three"]),
        (AuditFilter { person: text("carol"), ..all() }, vec!["three"]),
        (AuditFilter { server: text("github"), ..all() }, vec!["three"]),
        (AuditFilter { tool: text("deploy"), ..all() }, vec!["four"]),
        (AuditFilter { change: text("CHG-7"), ..all() }, vec!["four"]),
        (AuditFilter { outcome: Some(Outcome::Refused), ..all() }, vec!["two"]),
        (AuditFilter { outcome: Some(Outcome::Unknown), ..all() }, vec!["three"]),
        (AuditFilter { outcome: Some(Outcome::Success), ..all() }, vec!["four", "one"]),
        (AuditFilter { code: text("denied"), ..all() }, vec!["two"]),
        (AuditFilter { request_id: text("two"), ..all() }, vec!["two"]),
        (AuditFilter { from: Some(at("2026-03-01T00:00:00.5Z")), ..all() }, vec!["four", "three", "two"]),
        (AuditFilter { until: Some(at("2026-03-01T00:00:00.5Z")), ..all() }, vec!["one"]),
        (AuditFilter { after: Some(AuditPosition(3)), ..all() }, vec!["four", "three"]),
        (AuditFilter { before: Some(AuditPosition(3)), ..all() }, vec!["one"]),
        (AuditFilter { person: text("alice"), tool: text("deploy"), outcome: Some(Outcome::Refused), ..all() }, vec![]),
        (AuditFilter { person: text("' OR 1=1 --"), ..all() }, vec![]),
    ] {
        assert_eq!(found(path, &filter), due, "{filter:?}");
        let running = log.recent(filter.clone(), 100).await.unwrap();
        assert_eq!(requests(&running), due.into_iter().rev().collect::<Vec<_>>(), "{filter:?}");
    }
}

#[tokio::test]
async fn t25_a_search_pages_backwards_over_logs_that_were_set_aside() {
    let mut fixture = Fixture::new();
    for number in 0..3 {
        fixture.keys = AuditKeys::generate().unwrap();
        let (log, _) = fixture.open();
        for i in 0..5 {
            log.append(tool_call("alice", &format!("{number}-{i}"))).await.unwrap();
        }
        log.close().await.unwrap();
        if number < 2 {
            aside(fixture.path());
        }
    }
    let filter = AuditFilter { tool: Some("get_device".to_owned()), ..AuditFilter::default() };
    let (mut pages, mut before): (Vec<Vec<String>>, Option<Before>) = (Vec::new(), None);
    loop {
        let page = search(fixture.path(), &filter, before.as_ref(), 4).unwrap();
        pages.push(requests(&page.records).iter().map(|id| (*id).to_owned()).collect());
        // As it was printed and typed again.
        before = page.next.map(|next| next.to_string().parse().unwrap());
        if before.is_none() {
            break;
        }
    }
    let due: Vec<String> = (0..3).rev().flat_map(|number| (0..5).rev().map(move |i| format!("{number}-{i}"))).collect();
    assert_eq!(pages.concat(), due);
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 4, 3]);

    let bare = search(fixture.path(), &filter, Some(&"4".parse().unwrap()), 2).unwrap();
    assert_eq!(requests(&bare.records), ["2-1", "2-0"], "a bare position is one of the current log");
    let unknown = search(fixture.path(), &filter, Some(&"nothing:4".parse().unwrap()), 2).unwrap_err();
    assert_eq!(platform::Error::from(unknown).code(), "audit_not_found");

    let mut out = Vec::new();
    assert_eq!(export(fixture.path(), Format::Csv, &filter, &mut out).unwrap(), 15);
    let table = String::from_utf8(out).unwrap();
    assert!(table.lines().next().unwrap().ends_with(",duration_ns,log"));
    let logs = offline::logs(fixture.path()).unwrap();
    assert!(table.lines().nth(1).unwrap().ends_with(&format!(",{}", logs[0].short())), "the oldest log comes first");
    assert!(table.lines().last().unwrap().ends_with(&format!(",{}", logs[2].short())));
}

#[tokio::test]
async fn t25_a_log_of_the_first_layout_is_read_as_it_is_and_brought_forward_when_it_is_opened() {
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    log.append(intent("open")).await.unwrap();
    log.append(call("alice", "late", |e| e.code = Some("denied".to_owned()))).await.unwrap();
    drop(log);
    first_layout(&fixture.path().join("audit.db"));
    let filter = AuditFilter {
        code: Some("denied".to_owned()),
        person: Some("alice".to_owned()),
        from: Some(jiff::Timestamp::UNIX_EPOCH),
        ..AuditFilter::default()
    };
    assert_eq!(found(fixture.path(), &filter), ["late"]);
    let report = verify(fixture.path(), &VerifyOptions::default()).unwrap();
    assert_eq!((report.ok, report.records), (true, 4), "{:?}", report.findings);
    let (log, _) = fixture.open();
    drop(log);
    assert_eq!(found(fixture.path(), &filter), ["late"]);
    assert!(verify(fixture.path(), &VerifyOptions::default()).unwrap().ok);
    let connection = rusqlite::Connection::open(fixture.path().join("audit.db")).unwrap();
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert!(version >= 2);
}

// Takes back what later layouts added, as a file of the first version of the program has it.
fn first_layout(database: &Path) {
    let connection = rusqlite::Connection::open(database).unwrap();
    let names = |kind: &str| -> Vec<String> {
        let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = ? AND sql > ''").unwrap();
        statement.query_map([kind], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    const FIRST: [&str; 4] = ["audit_by_request", "audit_by_actor", "audit_writes", "audit_opened"];
    let drop_all = |kind: &str, names: Vec<String>| {
        names.iter().for_each(|name| connection.execute_batch(&format!("DROP {kind} {name}")).unwrap());
    };
    drop_all("INDEX", names("index").into_iter().filter(|name| !FIRST.contains(&name.as_str())).collect());
    drop_all("TRIGGER", names("trigger"));
    let tables = names("table").into_iter().filter(|name| !["log", "audit", "checkpoint"].contains(&name.as_str()));
    drop_all("TABLE", tables.collect());
    for column in ["at", "name", "server", "tool", "change", "outcome", "code"] {
        connection.execute_batch(&format!("ALTER TABLE audit DROP COLUMN {column}")).unwrap();
    }
    connection.execute_batch(include_str!("first_layout.sql")).unwrap();
}

// https://www.elastic.co/docs/reference/ecs/ecs-event and the field sets that records use: type, and for the four fields
// of categorisation the allowed values of version 9.
#[tokio::test]
async fn t25_exported_lines_are_valid_ecs() {
    const CATEGORIES: [&str; 5] = ["api", "authentication", "iam", "configuration", "process"];
    const TYPES: [&str; 10] =
        ["access", "allowed", "change", "creation", "deletion", "denied", "end", "error", "start", "user"];
    let fixture = Fixture::new();
    let (log, _) = fixture.open();
    let outcomes = [Outcome::Success, Outcome::Failure, Outcome::Refused, Outcome::Pending, Outcome::Unknown];
    let actions = [
        "tool.call",
        "authentication.refused",
        "session.ended",
        "elevation.granted",
        "policy.activated",
        "secret.written",
        "platform.started",
        "platform.stopped",
        "audit.retained",
        "configuration.changed",
    ];
    for (action, outcome) in actions.iter().flat_map(|action| outcomes.map(|outcome| (*action, outcome))) {
        let mut entry = tool_call("alice", "request");
        entry.action = action.to_owned();
        entry.outcome = outcome;
        entry.phase = if outcome == Outcome::Pending { Phase::Intent } else { Phase::Call };
        entry.code = Some("denied".to_owned());
        entry.duration_us = Some(5);
        entry.source = Some("2001:db8::1".parse().unwrap());
        entry.trace_id = Some("0af7651916cd43dd8448eb211c80319c".to_owned());
        log.append(entry).await.unwrap();
    }
    log.close().await.unwrap();
    let mut out = Vec::new();
    export(fixture.path(), Format::JsonLines, &AuditFilter::default(), &mut out).unwrap();
    let lines = String::from_utf8(out).unwrap();
    assert_eq!(lines.lines().count(), actions.len() * outcomes.len() + 2);
    for line in lines.lines() {
        let record: Json = serde_json::from_str(line).unwrap();
        let keyword = |pointer: &str| record.pointer(pointer).is_none_or(Json::is_string);
        let long = |pointer: &str| record.pointer(pointer).is_none_or(Json::is_u64);
        let one_of = |pointer: &str, allowed: &[&str]| {
            let list = record.pointer(pointer).and_then(Json::as_array).unwrap();
            !list.is_empty() && list.iter().all(|value| allowed.contains(&value.as_str().unwrap()))
        };
        assert!(record["@timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        assert!(record["ecs"]["version"].is_string());
        assert_eq!(record["event"]["kind"], "event");
        assert!(one_of("/event/category", &CATEGORIES), "{line}");
        assert!(one_of("/event/type", &TYPES), "{line}");
        // The types that ECS expects of a category, and those that say how it ended.
        let expected: &[&str] = match record["event"]["category"][0].as_str().unwrap() {
            "api" => &[
                "access", "admin", "allowed", "change", "creation", "deletion", "denied", "end", "info", "start",
                "user", "error",
            ],
            "authentication" => &["start", "end", "info", "allowed", "denied", "error"],
            "iam" => {
                &["admin", "change", "creation", "deletion", "group", "info", "user", "allowed", "denied", "error"]
            }
            "configuration" => &["access", "change", "creation", "deletion", "info", "allowed", "denied", "error"],
            _ => &["access", "change", "end", "info", "start", "allowed", "denied", "error"],
        };
        assert!(one_of("/event/type", expected), "{line}");
        assert!(["success", "failure", "unknown"].contains(&record["event"]["outcome"].as_str().unwrap()));
        for pointer in [
            "/event/id",
            "/event/action",
            "/event/code",
            "/user/id",
            "/user/name",
            "/trace/id",
            "/http/request/id",
            "/service/name",
        ] {
            assert!(keyword(pointer), "{pointer}: {line}");
        }
        assert!(long("/event/sequence") && long("/event/duration"));
        let ip = record.pointer("/source/ip").map(|ip| ip.as_str().unwrap().parse::<std::net::IpAddr>());
        assert!(ip.is_none_or(|ip| ip.is_ok()));
        let roles = record.pointer("/user/roles").map(|roles| roles.as_array().unwrap().iter().all(Json::is_string));
        assert_ne!(roles, Some(false));
        // Everything of ours stands below one member, so that no field of ECS is bent.
        let top: Vec<&str> = record.as_object().unwrap().keys().map(String::as_str).collect();
        let known = ["@timestamp", "ecs", "event", "user", "source", "trace", "http", "service", "interlock"];
        assert!(top.iter().all(|name| known.contains(name)), "{top:?}");
    }
}
