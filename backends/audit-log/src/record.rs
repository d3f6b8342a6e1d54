//! A record on disk: one line of canonical JSON (RFC 8785) with Elastic Common Schema names. Arguments are in it only as
//! HMAC-SHA256 of their canonical bytes (T26). Next: [`crate::writer`], which gives it its place.

use std::net::IpAddr;

use aws_lc_rs::hmac;
use platform::audit::{AuditActor, AuditEntry, Outcome, Phase};
use platform::{Json, canonical};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::AuditFault;
use crate::payload::{Month, Sealed};

/// The version of the Elastic Common Schema whose names are used.
pub const ECS_VERSION: &str = "9.2.0";

// The place of the sequence number, which only the writer knows. The first match is the member itself: inside a JSON
// string a quotation mark has a backslash before it, and canonical order puts only `@timestamp`, `ecs` and members of
// `event` before it.
const PLACE: &str = ",\"sequence\":0";

/// A record without its position.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PreparedRecord {
    before: String,
    after: String,
    sealed: Option<Sealed>,
    undo: bool,
}

/// With what, and for which log, an entry's payload is sealed.
pub(crate) struct Sealing<'a> {
    pub(crate) origin: &'a str,
    pub(crate) month: &'a Month,
}

impl PreparedRecord {
    /// Writes the entry as a canonical line, takes the keyed hash of its arguments and seals its payload. Without
    /// `sealing` a payload is left out.
    pub(crate) fn new(
        entry: &AuditEntry,
        service: &str,
        key: &hmac::Key,
        sealing: Option<Sealing<'_>>,
    ) -> Result<Self, AuditFault> {
        let id = uuid::Uuid::new_v4().to_string();
        let sealed = match (&entry.payload, sealing) {
            (Some(payload), Some(with)) => Some(with.month.seal(with.origin, &id, payload).map_err(unfit)?),
            _ => None,
        };
        let line = document(entry, id, service, key, sealed.as_ref())?.to_line()?;
        let line = String::from_utf8(line).map_err(|e| AuditFault::Record(e.to_string()))?;
        let (before, after) =
            line.split_once(PLACE).ok_or_else(|| AuditFault::Record("no place for its position".to_owned()))?;
        Ok(Self { before: format!("{before},\"sequence\":"), after: after.to_owned(), sealed, undo: entry.undo })
    }

    /// The line at a position.
    pub fn line(&self, position: u64) -> String {
        format!("{}{position}{}", self.before, self.after)
    }

    /// Whether it is of a step that undoes a change.
    pub(crate) fn undoes(&self) -> bool {
        self.undo
    }

    /// The payload that is stored beside the line.
    pub(crate) fn sealed(&self) -> Option<&Sealed> {
        self.sealed.as_ref()
    }

    /// Whether `line` is this record at whatever position; the random `event.id` decides.
    pub fn is_line(&self, line: &str) -> bool {
        line.starts_with(&self.before)
    }
}

fn unfit(error: impl std::fmt::Display) -> AuditFault {
    AuditFault::Record(error.to_string())
}

// The members of this and of all below stand in canonical order.
#[derive(Serialize)]
struct Record<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    ecs: Ecs,
    event: Event<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<Http<'a>>,
    interlock: Map<String, Json>,
    service: Service<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Id<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
}

impl Record<'_> {
    /// Its canonical bytes, which are Serde's own where nothing in it has to be put in order or written otherwise: a record
    /// stands before every reply.
    fn to_line(&self) -> Result<Vec<u8>, AuditFault> {
        let plain =
            self.event.duration.is_none_or(canonical::is_plain_integer) && canonical::are_plain(&self.interlock);
        match plain {
            true => serde_json::to_vec(self).map_err(unfit),
            false => canonical::to_bytes(self).map_err(unfit),
        }
    }
}

#[derive(Serialize)]
struct Ecs {
    version: &'static str,
}

#[derive(Serialize)]
struct Event<'a> {
    action: &'a str,
    category: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
    id: String,
    kind: &'static str,
    outcome: &'static str,
    sequence: u64,
    #[serde(rename = "type")]
    types: Vec<&'static str>,
}

#[derive(Serialize)]
struct User<'a> {
    id: &'a str,
    name: &'a str,
    roles: &'a [String],
}

#[derive(Serialize)]
struct Source {
    ip: IpAddr,
}

#[derive(Serialize)]
struct Id<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct Http<'a> {
    request: Id<'a>,
}

#[derive(Serialize)]
struct Service<'a> {
    name: &'a str,
}

fn document<'a>(
    entry: &'a AuditEntry,
    id: String,
    service: &'a str,
    key: &hmac::Key,
    sealed: Option<&Sealed>,
) -> Result<Record<'a>, AuditFault> {
    let (category, types) = classify(entry);
    Ok(Record {
        timestamp: entry.at.to_string(),
        ecs: Ecs { version: ECS_VERSION },
        event: Event {
            id,
            kind: "event",
            category: [category],
            types,
            action: &entry.action,
            outcome: match entry.outcome {
                Outcome::Success => "success",
                Outcome::Failure | Outcome::Refused => "failure",
                Outcome::Pending | Outcome::Unknown => "unknown",
            },
            sequence: 0,
            duration: entry.duration_us.map(|us| us.saturating_mul(1_000)),
            code: entry.code.as_deref(),
        },
        user: entry.actor.as_ref().map(|a: &AuditActor| User { id: &a.subject, name: &a.name, roles: &a.groups }),
        source: entry.source.map(|ip| Source { ip }),
        trace: entry.trace_id.as_deref().map(|id| Id { id }),
        http: entry.request_id.as_deref().map(|id| Http { request: Id { id } }),
        service: Service { name: service },
        interlock: own_members(entry, key, sealed)?,
    })
}

fn own_members(entry: &AuditEntry, key: &hmac::Key, sealed: Option<&Sealed>) -> Result<Map<String, Json>, AuditFault> {
    let mut own = Map::new();
    let mut put = |name: &str, value: Json| {
        own.insert(name.to_owned(), value);
    };
    put("phase", serde_json::to_value(entry.phase).map_err(unfit)?);
    put("outcome", serde_json::to_value(entry.outcome).map_err(unfit)?);
    let texts = [
        ("request_id", &entry.request_id),
        ("client_request_id", &entry.client_request_id),
        ("protocol", &entry.protocol),
        ("code", &entry.code),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            put(name, Value::from(text.as_str()));
        }
    }
    if let Some(actor) = &entry.actor {
        put("issuer", Value::from(actor.issuer.as_str()));
        put("client_id", Value::from(actor.client_id.as_str()));
        if !actor.act.is_empty() {
            put("act", Value::from(actor.act.clone()));
        }
    }
    if let Some(tool) = &entry.tool {
        put("server", Value::from(tool.server.as_str()));
        put("tool", Value::from(tool.tool.as_str()));
        if let Some(risk) = tool.risk {
            put("risk", Value::from(risk.as_str()));
        }
        if !tool.targets.is_empty() {
            put("targets", Value::from(tool.targets.clone()));
        }
    }
    if let Some(decision) = &entry.decision {
        put("decision", serde_json::to_value(decision).map_err(unfit)?);
    }
    if let Some(arguments) = &entry.arguments {
        let bytes = canonical::json_bytes(arguments).map_err(unfit)?;
        put("arguments_hmac", Value::from(hex::encode(hmac::sign(key, &bytes).as_ref())));
    }
    if let Some(sealed) = sealed {
        put("payload", sealed.described());
    }
    if entry.undo {
        put("undo", Value::Bool(true));
    }
    // A fact never takes the place of a member that the platform states itself: it is kept one level below.
    let mut displaced = Map::new();
    for (name, value) in &entry.facts {
        if own.contains_key(name) || RESERVED.contains(&name.as_str()) {
            displaced.insert(name.clone(), value.clone());
        } else {
            own.insert(name.clone(), value.clone());
        }
    }
    if !displaced.is_empty() {
        own.insert("facts".to_owned(), Value::Object(displaced));
    }
    Ok(own)
}

// Members of `interlock` that only the platform states, present or not: a fact cannot pretend one.
const RESERVED: [&str; 18] = [
    "phase",
    "outcome",
    "request_id",
    "client_request_id",
    "protocol",
    "code",
    "issuer",
    "client_id",
    "act",
    "server",
    "tool",
    "risk",
    "targets",
    "decision",
    "arguments_hmac",
    "payload",
    "undo",
    "facts",
];

// The closed lists of ECS for `event.category` and `event.type`.
fn classify(entry: &AuditEntry) -> (&'static str, Vec<&'static str>) {
    let area = entry.action.split_once('.').map_or(entry.action.as_str(), |(area, _)| area);
    let (category, nature) = match area {
        "authentication" => ("authentication", "start"),
        "session" | "elevation" => ("iam", "user"),
        "policy" | "secret" | "configuration" => ("configuration", "change"),
        "audit" if entry.action == "audit.payloads_destroyed" => ("database", "deletion"),
        "audit" if entry.action == "audit.payload_opened" => ("database", "access"),
        "audit" if entry.action == "audit.retained" => ("configuration", "deletion"),
        "platform" | "audit" if entry.action.ends_with("closed") || entry.action.ends_with("stopped") => {
            ("process", "end")
        }
        "platform" | "audit" => ("process", "start"),
        _ => match entry.phase {
            Phase::Intent | Phase::Outcome => ("api", "change"),
            Phase::Call | Phase::Event => ("api", "access"),
        },
    };
    let mut types = vec![nature];
    match entry.outcome {
        Outcome::Refused => types.push("denied"),
        Outcome::Failure => types.push("error"),
        Outcome::Success | Outcome::Pending => types.push("allowed"),
        Outcome::Unknown => {}
    }
    (category, types)
}

#[cfg(test)]
mod tests {
    use platform::canonical;
    use serde_json::{Map, Value, json};

    use super::{Ecs, Event, Http, Id, Record, Service, Source, User};

    fn record<'a>(text: &'a str, roles: &'a [String], duration: u64, interlock: Value) -> Record<'a> {
        let Value::Object(interlock) = interlock else { return record(text, roles, duration, json!({})) };
        Record {
            timestamp: text.to_owned(),
            ecs: Ecs { version: "9" },
            event: Event {
                action: text,
                category: ["api"],
                code: Some(text),
                duration: Some(duration),
                id: text.to_owned(),
                kind: "event",
                outcome: "success",
                sequence: 0,
                types: vec!["access"],
            },
            http: Some(Http { request: Id { id: text } }),
            interlock,
            service: Service { name: text },
            source: Some(Source { ip: std::net::Ipv4Addr::LOCALHOST.into() }),
            trace: Some(Id { id: text }),
            user: Some(User { id: text, name: text, roles }),
        }
    }

    #[test]
    fn t25_a_line_is_canonical_whichever_way_it_is_written() {
        let roles = ["ä\"\\\u{1}\u{7f}\u{2028}/😀\n\t".to_owned()];
        let far = Map::from_iter([("\u{ff5e}".to_owned(), json!(1)), ("😀".to_owned(), json!(2))]);
        let facts = [
            json!({"b": [1, -2, null, true], "a": {"d": "é\u{8}", "c": []}, "n": 9_007_199_254_740_991_u64}),
            json!({"n": 9_007_199_254_740_993_u64}),
            json!({"n": -9_007_199_254_740_993_i64}),
            json!({"n": [{"f": 1.0}]}),
            json!({"n": [{"f": 1e30}]}),
            json!({"n": [Value::Object(far)]}),
        ];
        for interlock in facts {
            for duration in [0, 9_007_199_254_740_991, 9_007_199_254_740_993, u64::MAX] {
                let record = record(&roles[0], &roles, duration, interlock.clone());
                let canonical = String::from_utf8(canonical::to_bytes(&record).unwrap()).unwrap();
                assert_eq!(String::from_utf8(record.to_line().unwrap()).unwrap(), canonical);
            }
        }
    }
}
